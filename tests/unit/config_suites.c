/* What a policy may name and what sessions speak are the same cipher suites. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "config/suites.h"
#include "shim/session/suite.h"

static void
same_suites_in_the_same_order(void **state)
{
    size_t i = 0;

    (void)state;
    for (; suite_list[i].number != 0; i++) {
        assert_non_null(suites_list[i].name);
        assert_string_equal(suites_list[i].name, suite_list[i].name);
        assert_ptr_equal(suites_find(suite_list[i].name), &suites_list[i]);
        /* RFC 8446, appendix B.4: those of TLS 1.3 are 0x13xx. */
        assert_int_equal(suites_list[i].version,
                         suite_list[i].number >> 8 == 0x13 ? 0x0304 : 0x0303);
    }
    assert_null(suites_list[i].name);
    assert_true(i >= 3);
}

static void
other_names_are_not_found(void **state)
{
    static const char *const names[] = {"",
                                        "TLS_AES_128_GCM",
                                        "tls_aes_128_gcm_sha256",
                                        "TLS_AES_128_CCM_SHA256",
                                        "AES128-SHA",
                                        "TLS_AES_128_GCM_SHA256 "};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_null(suites_find(names[i]));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_suites_in_the_same_order),
        cmocka_unit_test(other_names_are_not_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
