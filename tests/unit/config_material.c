/* What identities' files may hold: keys, certificates and trust, made by openssl. */
#include "config/material.h"
#include "tests/lib/openssl.h"
#include "tests/lib/policy_text.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

static char dir[] = "/tmp/config_material.XXXXXX";

/* ---- making files --------------------------------------------------------------------
 */

static void
put(const char *path, const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

/* Appends one file to another. */
static void
append(const char *to, const char *from)
{
    FILE *out = fopen(to, "a");
    FILE *in = fopen(from, "r");
    int c;

    assert_true(out != NULL && in != NULL);
    while ((c = fgetc(in)) != EOF) {
        fputc(c, out);
    }
    fclose(in);
    assert_int_equal(fclose(out), 0);
}

/* NAME.key and NAME.pem, signed by the CA. */
static void
issue(const char *name, const char *key_options, const char *dates, const char *section)
{
    char command[512];

    snprintf(command, sizeof(command), "genpkey %s -out %s.key", key_options, name);
    openssl(command);
    snprintf(command, sizeof(command), "req -new -key %s.key -subj /CN=%s -out %s.csr",
             name, name, name);
    openssl(command);
    snprintf(command, sizeof(command),
             "ca -batch -notext -config cnf -in %s.csr -out %s.pem -cert ca.pem -keyfile "
             "ca.key %s -extensions %s",
             name, name, dates, section);
    openssl(command);
}

#define EC "-algorithm EC -pkeyopt ec_paramgen_curve:P-256"
#define NOW "-days 10"
#define PAST "-startdate 20200101000000Z -enddate 20210101000000Z"
#define FUTURE "-startdate 20900101000000Z -enddate 20950101000000Z"

static void
make_certificates(void)
{
    put("cnf",
        "[ca]\ndefault_ca=d\n[d]\ndatabase=index\nnew_certs_dir=.\nserial=serial\n"
        "default_md=sha256\npolicy=p\nunique_subject=no\n[p]\nCN=supplied\n"
        "[leaf]\nbasicConstraints=critical,CA:FALSE\nsubjectAltName=DNS:a\n"
        "[authority]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n",
        0600);
    put("index", "", 0600);
    put("serial", "00AB12\n", 0600);
    openssl("req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=ca");
    issue("ec", EC, NOW, "leaf");
    issue("p384", "-algorithm EC -pkeyopt ec_paramgen_curve:P-384", NOW, "leaf");
    issue("rsa", "-algorithm RSA", NOW, "leaf");
    issue("ed", "-algorithm ED25519", NOW, "leaf");
    issue("old", EC, PAST, "leaf");
    issue("new", EC, FUTURE, "leaf");
    issue("sub", EC, NOW, "authority");
    issue("oldca", EC, PAST, "authority");
    openssl("req -new -key rsa.key -subj /CN=v1 -out v1.csr");
    openssl("x509 -req -in v1.csr -signkey rsa.key -days 9 -out v1.pem");
    openssl("x509 -in ec.pem -outform DER -out ec.der");
    openssl("x509 -in ca.pem -outform DER -out ca.der");
}

/* A command that makes a key, whose file is its last word. */
static void
make_key(const char *arguments)
{
    openssl(arguments);
    assert_int_equal(chmod(strrchr(arguments, ' ') + 1, 0600), 0);
}

static void
make_forms(const char *kind, bool has_traditional)
{
    char command[256];

    snprintf(command, sizeof(command),
             "pkcs8 -topk8 -v2 aes256 -in %s.key -passout file:pass -out %s-enc.key",
             kind, kind);
    make_key(command);
    snprintf(command, sizeof(command),
             "pkcs8 -topk8 -v2 aes128 -in %s.key -passout file:pass -outform DER -out "
             "%s-enc.der",
             kind, kind);
    make_key(command);
    snprintf(command, sizeof(command),
             "pkcs8 -topk8 -nocrypt -in %s.key -outform DER -out %s-8.der", kind, kind);
    make_key(command);
    snprintf(command, sizeof(command), "pkey -in %s.key -traditional -out %s-trad.key",
             kind, kind);
    if (has_traditional) {
        make_key(command);
    }
}

static void
make_keys(void)
{
    put("pass", "secret\n", 0600);
    put("pass-crlf", "secret\r\nmore\n", 0400);
    put("pass-open", "secret\n", 0604);
    put("pass-wrong", "Secret\n", 0600);
    put("pass-empty", "\nsecret\n", 0600);
    make_forms("ec", true);
    make_forms("rsa", true);
    make_forms("ed", false);
    make_key("pkey -in rsa.key -traditional -outform DER -out rsa-trad.der");
    make_key("rsa -in rsa.key -aes128 -traditional -passout file:pass -out rsa-old.key");
    make_key("ecparam -name prime256v1 -out ec-params.key");
    append("ec-params.key", "ec-trad.key");
    append("ec-params.key", "ec.pem");
}

static void
make_others(void)
{
    static const char pem[] = "-----BEGIN %s-----\n%s-----END %s-----\n";
    char text[256];

    put("chain.pem", "leaf first\n", 0644);
    append("chain.pem", "ec.pem");
    append("chain.pem", "sub.pem");
    put("both.pem", "", 0600);
    append("both.pem", "ec.key");
    append("both.pem", "ec.pem");
    put("bundle.pem", "", 0644);
    append("bundle.pem", "oldca.pem");
    append("bundle.pem", "v1.pem");
    append("bundle.pem", "ca.pem");
    put("mixed.pem", "", 0644);
    append("mixed.pem", "ca.pem");
    append("mixed.pem", "ec.pem");
    put("open.key", "", 0640);
    append("open.key", "ec.key");
    put("readable.key", "", 0604);
    append("readable.key", "ec.key");
    put("own.key", "", 0700);
    append("own.key", "ec.key");
    put("empty", "", 0600);
    put("text", "no key\n", 0600);
    snprintf(text, sizeof(text), pem, "CERTIFICATE", "AAAA\n", "CERTIFICATE");
    put("garbage.pem", text, 0600);
    snprintf(text, sizeof(text), pem, "CERTIFICATE", "A$AA\n", "CERTIFICATE");
    put("base64.pem", text, 0600);
    snprintf(text, sizeof(text), pem, "PRIVATE KEY", "AAAA\n", "PRIVATE KEY");
    put("garbage.key", text, 0600);
    put("cut.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n", 0600);
    put("cut.key", "-----BEGIN PRIVATE KEY-----\nMIIB\n", 0600);
    put("der-garbage", "0\x82garbage", 0600);
    assert_int_equal(mkdir("many", 0700) | mkdir("none", 0700) | mkdir("wrong", 0700), 0);
    put("many/a.crt", "", 0644);
    append("many/a.crt", "ca.pem");
    put("many/b.cer", "", 0644);
    append("many/b.cer", "ca.der");
    put("many/README", "no certificate\n", 0644);
    put("many/.hidden.pem", "no certificate\n", 0644);
    put("none/ca.txt", "", 0644);
    put("wrong/ca.pem", "no certificate\n", 0644);
}

/* PKCS#12 files; leaf.pem is signed by sub.pem. */
static void
make_pkcs12(void)
{
    static const char *const kinds[] = {"ec", "rsa", "ed"};
    char command[256];

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        snprintf(command, sizeof(command),
                 "pkcs12 -export -inkey %s.key -in %s.pem -passout file:pass -out %s.p12",
                 kinds[i], kinds[i], kinds[i]);
        make_key(command);
    }
    openssl("genpkey " EC " -out leaf.key");
    openssl("req -new -key leaf.key -subj /CN=leaf -out leaf.csr");
    openssl("ca -batch -notext -config cnf -in leaf.csr -out leaf.pem -cert sub.pem "
            "-keyfile sub.key " NOW " -extensions leaf");
    put("above.pem", "", 0644);
    append("above.pem", "ca.pem");
    append("above.pem", "p384.pem");
    append("above.pem", "sub.pem");
    make_key("pkcs12 -export -inkey leaf.key -in leaf.pem -certfile above.pem -passout "
             "file:pass -out chain.p12");
    make_key("pkcs12 -export -inkey ec.key -in ec.pem -passout pass: -out nopass.p12");
    make_key("pkcs12 -export -inkey ec.key -in ec.pem -passout file:pass -keypbe NONE "
             "-certpbe NONE -out mac.p12");
    make_key("pkcs12 -export -inkey ec.key -in ec.pem -passout file:pass -macalg sha1 "
             "-keypbe AES-128-CBC -certpbe AES-256-CBC -out sha1.p12");
    make_key("pkcs12 -export -legacy -descert -inkey ec.key -in ec.pem -passout "
             "file:pass -out 3des.p12");
    make_key("pkcs12 -export -legacy -inkey ec.key -in ec.pem -passout file:pass -out "
             "rc2.p12");
    make_key("pkcs12 -export -nokeys -in ec.pem -passout file:pass -out nokey.p12");
    make_key("pkcs12 -export -nocerts -inkey ec.key -in ec.pem -passout file:pass -out "
             "nocert.p12");
    make_key("pkcs12 -export -inkey old.key -in old.pem -passout file:pass -out old.p12");
    put("open.p12", "", 0640);
    append("open.p12", "ec.p12");
}

static int
make_files(void **state)
{
    (void)state;
    umask(022);
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chdir(dir), 0);
    make_certificates();
    make_keys(); /* genpkey's have the right mode already */
    make_others();
    make_pkcs12();
    return 0;
}

static int
remove_files(void **state)
{
    pid_t pid;

    (void)state;
    assert_int_equal(chdir("/"), 0);
    pid = fork();
    if (pid == 0) {
        execlp("rm", "rm", "-rf", dir, (char *)NULL);
        _exit(127);
    }
    waitpid(pid, NULL, 0);
    return 0;
}

/* ---- loading -------------------------------------------------------------------------
 */

/* Lines: 5 certificate, 6 private_key, 7 trust, 8 passphrase_file. */
static const struct {
    const char *certificate;
    const char *private_key;
    const char *trust;
    const char *passphrase_file;
    const char *want; /* "" = good; else "LINE: words|words" of the only problem */
} cases[] = {
    {"ec.pem", "ec.key", "ca.pem", NULL, ""},
    {"p384.pem", "p384.key", "ca.pem", NULL, ""},
    {"rsa.pem", "rsa.key", "ca.pem", NULL, ""},
    {"ed.pem", "ed.key", "ca.pem", NULL, ""},
    {"ec.der", "ec.key", "ca.der", NULL, ""},
    {"chain.pem", "ec.key", "ca.pem", NULL, ""},
    {"both.pem", "both.pem", "ca.pem", NULL, ""},
    {"ec.pem", "own.key", "ca.pem", NULL, ""},
    {"ec.pem", "ec-8.der", "ca.pem", NULL, ""},
    {"rsa.pem", "rsa-8.der", "ca.pem", NULL, ""},
    {"ed.pem", "ed-8.der", "ca.pem", NULL, ""},
    {"ec.pem", "ec-trad.key", "ca.pem", NULL, ""},
    {"ec.pem", "ec-params.key", "ca.pem", NULL, ""},
    {"rsa.pem", "rsa-trad.key", "ca.pem", NULL, ""},
    {"rsa.pem", "rsa-trad.der", "ca.pem", NULL, ""},
    {"ec.pem", "ec-enc.key", "ca.pem", "pass", ""},
    {"rsa.pem", "rsa-enc.key", "ca.pem", "pass", ""},
    {"ed.pem", "ed-enc.key", "ca.pem", "pass-crlf", ""},
    {"ec.pem", "ec-enc.der", "ca.pem", "pass", ""},
    {"rsa.pem", "rsa-enc.der", "ca.pem", "pass", ""},
    {"ed.pem", "ed-enc.der", "ca.pem", "pass", ""},
    {"ec.pem", "ec.key", "ca.pem", "pass", ""}, /* not needed */
    {"ec.pem", "ec.key", "bundle.pem", NULL, ""},
    {"ec.pem", "ec.key", "many", NULL, ""},
    {"ec.pem", "ec.key", "/etc/ssl/certs", NULL, ""},

    {"none.pem", "ec.key", "ca.pem", NULL, "5: none.pem: No such file"},
    {"none", "ec.key", "ca.pem", NULL, "5: none: is a directory"},
    {"empty", "ec.key", "ca.pem", NULL, "5: empty: holds no certificate"},
    {"ec.key", "ec.key", "ca.pem", NULL, "5: ec.key: holds no certificate"},
    {"garbage.pem", "ec.key", "ca.pem", NULL,
     "5: garbage.pem: certificate 1 cannot be read"},
    {"base64.pem", "ec.key", "ca.pem", NULL, "5: base64.pem: a broken PEM block"},
    {"cut.pem", "ec.key", "ca.pem", NULL, "5: cut.pem: a broken PEM block"},
    {"der-garbage", "ec.key", "ca.pem", NULL,
     "5: der-garbage: certificate 1 cannot be read"},
    {"v1.pem", "rsa.key", "ca.pem", NULL, "5: v1.pem: |version 3"},
    {"old.pem", "old.key", "ca.pem", NULL,
     "5: old.pem: |has expired|until 2021-01-01 00:00:00 UTC"},
    {"new.pem", "new.key", "ca.pem", NULL,
     "5: new.pem: |not yet valid|at 2090-01-01 00:00:00 UTC"},

    {"ec.pem", "none.key", "ca.pem", NULL, "6: none.key: No such file"},
    {"ec.pem", "none", "ca.pem", NULL, "6: none: is a directory"},
    {"ec.pem", "empty", "ca.pem", NULL, "6: empty: holds no private key"},
    {"ec.pem", "text", "ca.pem", NULL, "6: text: holds no private key"},
    {"ec.pem", "ec.pem", "ca.pem", NULL, "6: ec.pem: |mode 0644|chmod 600"},
    {"ec.pem", "open.key", "ca.pem", NULL, "6: open.key: |mode 0640|chmod 600"},
    {"ec.pem", "readable.key", "ca.pem", NULL, "6: readable.key: |mode 0604|chmod 600"},
    {"ec.pem", "garbage.key", "ca.pem", NULL, "6: garbage.key: no private key of a kind"},
    {"ec.pem", "garbage.pem", "ca.pem", NULL, "6: garbage.pem: holds no private key"},
    {"ec.pem", "cut.key", "ca.pem", NULL, "6: cut.key: a broken PEM block"},
    {"ec.pem", "der-garbage", "ca.pem", NULL, "6: der-garbage: no private key of a kind"},
    {"ec.pem", "rsa.key", "ca.pem", NULL, "6: rsa.key: does not belong|ec.pem"},
    {"ec.pem", "p384.key", "ca.pem", NULL, "6: p384.key: does not belong|ec.pem"},
    {"ec.pem", "old.key", "ca.pem", NULL, "6: old.key: does not belong|ec.pem"},
    {"ed.pem", "ec.key", "ca.pem", NULL, "6: ec.key: does not belong|ed.pem"},
    {"ec.pem", "ec-enc.key", "ca.pem", NULL,
     "6: ec-enc.key: is encrypted|passphrase_file"},
    {"ec.pem", "ec-enc.der", "ca.pem", NULL,
     "6: ec-enc.der: is encrypted|passphrase_file"},
    {"ec.pem", "ec-enc.key", "ca.pem", "pass-wrong",
     "6: ec-enc.key: cannot be decrypted|pass-wrong"},
    {"rsa.pem", "rsa-old.key", "ca.pem", "pass", "6: rsa-old.key: |openssl pkcs8 -topk8"},
    {"ec.pem", "ec-enc.key", "ca.pem", "pass-open", "8: pass-open: |mode 0604|chmod 600"},
    {"ec.pem", "ec-enc.key", "ca.pem", "pass-empty", "8: pass-empty: |is empty"},
    {"ec.pem", "ec-enc.key", "ca.pem", "pass-none", "8: pass-none: No such file"},

    {"ec.pem", "ec.key", "none.pem", NULL, "7: none.pem: No such file"},
    {"ec.pem", "ec.key", "empty", NULL, "7: empty: holds no certificate"},
    {"ec.pem", "ec.key", "ec.key", NULL, "7: ec.key: holds no CA certificate"},
    {"ec.pem", "ec.key", "ec.pem", NULL, "7: ec.pem: certificate 1 is no CA's"},
    {"ec.pem", "ec.key", "mixed.pem", NULL, "7: mixed.pem: certificate 2 is no CA's"},
    {"ec.pem", "ec.key", "garbage.pem", NULL,
     "7: garbage.pem: its CA certificate cannot"},
    {"ec.pem", "ec.key", "cut.pem", NULL, "7: cut.pem: a broken PEM block"},
    {"ec.pem", "ec.key", "v1.pem", NULL, "7: v1.pem: |version 3"},
    {"ec.pem", "ec.key", "oldca.pem", NULL,
     "7: oldca.pem: its CA certificate has expired"},
    {"ec.pem", "ec.key", "none", NULL, "7: none: no *.pem"},
    {"ec.pem", "ec.key", "wrong", NULL, "7: wrong/ca.pem: holds no certificate"},
};

/* Lines: 5 pkcs12, 6 trust, 7 passphrase_file. */
static const struct {
    const char *pkcs12;
    const char *passphrase_file;
    size_t chain;
    const char *want; /* as above */
} pkcs12_cases[] = {
    {"ec.p12", "pass", 1, ""},
    {"rsa.p12", "pass", 1, ""},
    {"ed.p12", "pass-crlf", 1, ""},
    {"sha1.p12", "pass", 1, ""},
    {"mac.p12", "pass", 1, ""},
    {"nopass.p12", NULL, 1, ""},
    {"chain.p12", "pass", 2, ""}, /* in order, without the root and a stranger */
    {"ec.p12", "pass-wrong", 0, "5: ec.p12: cannot be decrypted: |pass-wrong"},
    {"ec.p12", NULL, 0, "5: ec.p12: has a passphrase|no passphrase_file"},
    {"ec.p12", "pass-open", 0, "7: pass-open: |mode 0604|chmod 600"},
    {"ec.p12", "pass-empty", 0, "7: pass-empty: |is empty"},
    {"3des.p12", "pass", 0, "5: 3des.p12: cannot be decrypted (|): want AES"},
    {"rc2.p12", "pass", 0, "5: rc2.p12: cannot be decrypted (|): want AES"},
    {"nokey.p12", "pass", 0, "5: nokey.p12: holds no private key"},
    {"nocert.p12", "pass", 0, "5: nocert.p12: holds no certificate"},
    {"old.p12", "pass", 0, "5: old.p12: |has expired"},
    {"open.p12", "pass", 0, "5: open.p12: |mode 0640|chmod 600"},
    {"none.p12", "pass", 0, "5: none.p12: No such file"},
    {"none", "pass", 0, "5: none: is a directory"},
    {"empty", "pass", 0, "5: empty: is no PKCS#12 file"},
    {"own.key", "pass", 0, "5: own.key: is no PKCS#12 file"},
    {"ec-8.der", "pass", 0, "5: ec-8.der: is no PKCS#12 file"},
    {"der-garbage", "pass", 0, "5: der-garbage: is no PKCS#12 file"},
};

static struct policy *
load_text(const char *text, struct policy_text *out)
{
    FILE *file = fopen("policy.ini", "w");
    struct policy *policy;

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    policy_text_init(out);
    policy = policy_load("policy.ini", &out->report);
    assert_non_null(policy);
    return policy;
}

static struct policy *
load_policy(size_t i, struct policy_text *out)
{
    char text[1024];

    snprintf(text, sizeof(text),
             POLICY_TEXT_HEAD
             "[identity a]\ncertificate=%s\nprivate_key=%s\ntrust=%s\n%s%s\n",
             cases[i].certificate, cases[i].private_key, cases[i].trust,
             cases[i].passphrase_file != NULL ? "passphrase_file=" : "",
             cases[i].passphrase_file != NULL ? cases[i].passphrase_file : "");
    return load_text(text, out);
}

/* Whether the only problem is the wanted one; its words are separated by '|'. */
static bool
fits(const struct policy_text *out, const char *want)
{
    char copy[256];
    char *rest = copy;
    char *word;
    char start[128];
    const char *text = out->problems;

    assert_true(strlen(want) < sizeof(copy));
    memcpy(copy, want, strlen(want) + 1);
    if (out->report.count != 1) {
        return false;
    }
    /* Files are named by their absolute paths. */
    snprintf(start, sizeof(start), "%.3s%s/", copy, dir);
    rest += 3;
    if (strncmp(text, start, strlen(start)) != 0) {
        return false;
    }
    text += strlen(start);
    while ((word = strsep(&rest, "|")) != NULL) {
        text = strstr(text, word);
        if (text == NULL) {
            return false;
        }
    }
    return true;
}

static void
check_good(const struct material *material)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----\n";

    assert_memory_equal(material->chain.data, begin, strlen(begin));
    assert_memory_equal(material->trust.data, begin, strlen(begin));
    assert_int_equal(material->key.data[0], 0x30);
    assert_null(memmem(material->chain.data, material->chain.len, "PRIVATE", 7));
    assert_string_not_equal(material->serial, "");
    assert_true(material->not_after > 1700000000);
}

static void
every_kind_of_file(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct policy_text out;
        struct policy *policy = load_policy(i, &out);
        struct material material;
        int rc = material_load(policy, &policy->identities[0], &out.report, &material);
        bool good = cases[i].want[0] == '\0';

        if (rc != (good ? 0 : -EINVAL) ||
            (good ? out.report.count != 0 : !fits(&out, cases[i].want))) {
            fail_msg("case %zu, %s %s %s: want '%s', got %s", i, cases[i].certificate,
                     cases[i].private_key, cases[i].trust, cases[i].want, out.problems);
        }
        if (good) {
            check_good(&material);
        } else {
            assert_null(material.key.data);
        }
        material_done(&material);
        material_done(&material);
        assert_null(material.key.data);
        policy_free(policy);
    }
}

static size_t
count(const struct material_blob *blob, const char *word)
{
    const char *at = (const char *)blob->data;
    const char *end = at + blob->len;
    size_t found = 0;

    while ((at = memmem(at, (size_t)(end - at), word, strlen(word))) != NULL) {
        at += strlen(word);
        found++;
    }
    return found;
}

static void
every_kind_of_pkcs12(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(pkcs12_cases) / sizeof(pkcs12_cases[0]); i++) {
        const char *passphrase_file = pkcs12_cases[i].passphrase_file;
        struct policy_text out;
        struct material material;
        char text[512];
        struct policy *policy;
        bool good = pkcs12_cases[i].want[0] == '\0';
        int rc;

        snprintf(text, sizeof(text),
                 POLICY_TEXT_HEAD "[identity a]\npkcs12=%s\ntrust=ca.pem\n%s%s\n",
                 pkcs12_cases[i].pkcs12,
                 passphrase_file != NULL ? "passphrase_file=" : "",
                 passphrase_file != NULL ? passphrase_file : "");
        policy = load_text(text, &out);
        rc = material_load(policy, &policy->identities[0], &out.report, &material);
        if (rc != (good ? 0 : -EINVAL) ||
            (good ? out.report.count != 0 : !fits(&out, pkcs12_cases[i].want))) {
            fail_msg("%s: want '%s', got %s", pkcs12_cases[i].pkcs12,
                     pkcs12_cases[i].want, out.problems);
        }
        if (good) {
            check_good(&material);
            assert_int_equal(count(&material.chain, "-----END"), pkcs12_cases[i].chain);
        } else {
            assert_null(material.key.data);
        }
        material_done(&material);
        policy_free(policy);
    }
}

/* Finds a case of the table by its files. */
static size_t
case_of(const char *certificate, const char *trust)
{
    size_t i = 0;

    while (strcmp(cases[i].certificate, certificate) != 0 ||
           strcmp(cases[i].trust, trust) != 0) {
        i++;
    }
    return i;
}

static void
what_is_loaded(void **state)
{
    static const struct {
        const char *certificate;
        const char *trust;
        size_t chain;
        size_t anchors;
    } wants[] = {
        {"ec.pem", "ca.pem", 1, 1},
        {"chain.pem", "ca.pem", 2, 1},
        {"both.pem", "ca.pem", 1, 1},
        {"ec.pem", "bundle.pem", 1, 1}, /* without what has expired or is of version 1 */
        {"ec.pem", "many", 1, 2},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wants) / sizeof(wants[0]); i++) {
        struct policy_text out;
        struct policy *policy =
            load_policy(case_of(wants[i].certificate, wants[i].trust), &out);
        struct material material;

        assert_int_equal(
            material_load(policy, &policy->identities[0], &out.report, &material), 0);
        assert_int_equal(count(&material.chain, "-----END"), wants[i].chain);
        assert_int_equal(count(&material.trust, "-----END"), wants[i].anchors);
        /* The first that was issued, without the leading zeros. */
        assert_string_equal(material.serial, "ab12");
        material_done(&material);
        policy_free(policy);
    }
}

/* All files are looked at: three that are wrong make three problems. */
static void
every_problem(void **state)
{
    struct policy_identity identity = {
        .name = "a",
        .certificate = "none.pem",
        .private_key = "none.key",
        .trust = "none-ca.pem",
        .certificate_line = 1,
        .private_key_line = 2,
        .trust_line = 3,
    };
    struct policy policy = {.path = "p"};
    struct policy_text out;
    struct material material;

    (void)state;
    policy_text_init(&out);
    assert_int_equal(material_load(&policy, &identity, &out.report, &material), -EINVAL);
    assert_string_equal(out.problems, "1: none.pem: No such file or directory\n"
                                      "2: none.key: No such file or directory\n"
                                      "3: none-ca.pem: No such file or directory\n");
    material_done(&material);
}

/* A pipe in the place of a file must not hold up the program. */
static void
pipes_are_no_files(void **state)
{
    struct policy_identity identity = {
        .name = "a", .certificate = "pipe", .private_key = "pipe", .trust = "pipe"};
    struct policy policy = {.path = "p"};
    struct policy_text out;
    struct material material;

    (void)state;
    assert_int_equal(mkfifo("pipe", 0600), 0);
    policy_text_init(&out);
    assert_int_equal(material_load(&policy, &identity, &out.report, &material), -EINVAL);
    assert_string_equal(out.problems, "0: pipe: is not a regular file\n"
                                      "0: pipe: is not a regular file\n"
                                      "0: pipe: is not a regular file\n");
    material_done(&material);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_file), cmocka_unit_test(every_kind_of_pkcs12),
        cmocka_unit_test(what_is_loaded),     cmocka_unit_test(every_problem),
        cmocka_unit_test(pipes_are_no_files),
    };

    return cmocka_run_group_tests(tests, make_files, remove_files);
}
