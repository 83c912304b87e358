/* The file of counters: what is added up when processes end, and what is made of files
 * that somebody else has written; and what a call that moves data pays. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "shim/record/count.h"
#include "shim/session/metrics_fold.h"

static char folder[] = "/tmp/mtls-metrics-XXXXXX";
static int dir_fd;
static struct metrics_live live, seen;
static struct metrics_ended ended;

static int
set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/mtls-metrics-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    dir_fd = open(folder, O_RDONLY | O_DIRECTORY);
    memset(&live, 0, sizeof(live));
    memset(&ended, 0, sizeof(ended));
    atomic_store(&live.magic, METRICS_LIVE_MAGIC);
    live.layout = METRICS_LAYOUT;
    strcpy(live.service, "echo");
    return dir_fd < 0 ? -1 : 0;
}

static int
tear_down(void **state)
{
    DIR *entries = fdopendir(dir_fd);
    const struct dirent *entry;
    (void)state;
    while ((entry = readdir(entries)) != NULL) {
        (void)unlinkat(dir_fd, entry->d_name, 0);
    }
    closedir(entries);
    return rmdir(folder);
}

static struct metrics_series *
add_series(const char *rule, uint32_t direction)
{
    struct metrics_series *series = &live.series[atomic_fetch_add(&live.series_end, 1)];
    snprintf(series->rule, sizeof(series->rule), "%s", rule);
    series->direction = direction;
    atomic_store(&series->is_set, 1);
    return series;
}

/* Returns an fd that holds the lock, as a process that lives does. */
static int
write_live(const char *name)
{
    int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, &live, sizeof(live)), sizeof(live));
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    return fd;
}

static uint64_t
ended_value(const char *rule, int value)
{
    char name[40];
    snprintf(name, sizeof(name), "ended.%u", geteuid());
    if (!metrics_fold_read_ended(dir_fd, name, &ended)) {
        return UINT64_MAX;
    }
    for (uint32_t i = 0; i < ended.series_count; i++) {
        if (strcmp(ended.series[i].rule, rule) == 0) {
            return atomic_load(&ended.series[i].values[value]);
        }
    }
    return UINT64_MAX;
}

static void
test_lives_until_the_lock_is_free(void **state)
{
    (void)state;
    int fd = write_live("1.1.live");
    assert_int_equal(metrics_fold_read(dir_fd, "1.1.live", &seen), METRICS_LIVE);
    metrics_fold_dead(dir_fd);
    assert_int_equal(faccessat(dir_fd, "1.1.live", F_OK, 0), 0);
    close(fd);
    assert_int_equal(metrics_fold_read(dir_fd, "1.1.live", &seen), METRICS_DEAD);
    metrics_fold_dead(dir_fd);
    assert_int_equal(faccessat(dir_fd, "1.1.live", F_OK, 0), -1);
}

static void
test_totals_add_up(void **state)
{
    (void)state;
    struct metrics_series *series = add_series("web", METRICS_INBOUND);
    atomic_store(&series->values[METRICS_CONNECTIONS], 3);
    atomic_store(&series->values[METRICS_BYTES_IN], 100);
    atomic_store(&live.open[5].is_set, 1);
    atomic_store(&live.open[5].in.bytes, 11);
    atomic_store(&live.open[6].in.bytes, 1000); /* ended */
    atomic_store(&live.open_end, 7);
    for (uint64_t round = 1; round <= 3; round++) {
        close(write_live("1.1.live"));
        metrics_fold_dead(dir_fd);
        assert_int_equal(ended_value("web", METRICS_CONNECTIONS), 3 * round);
        assert_int_equal(ended_value("web", METRICS_BYTES_IN), 111 * round);
    }
}

static void
test_series_are_bounded(void **state)
{
    (void)state;
    uint64_t sum = 0;
    for (int process = 0; process < 10; process++) {
        atomic_store(&live.series_end, 0);
        for (int i = 0; i < 100; i++) {
            char rule[32];
            snprintf(rule, sizeof(rule), "rule-%d-%d", process, i);
            struct metrics_series *series = add_series(rule, METRICS_INBOUND);
            atomic_store(&series->values[METRICS_CONNECTIONS], 1);
        }
        close(write_live("1.1.live"));
        metrics_fold_dead(dir_fd);
    }
    assert_int_equal(ended_value("rule-0-0", METRICS_CONNECTIONS), 1);
    for (uint32_t i = 0; i < ended.series_count; i++) {
        sum += atomic_load(&ended.series[i].values[METRICS_CONNECTIONS]);
    }
    assert_int_equal(sum, 1000); /* none is lost */
    assert_in_range(ended.series_count, 400, METRICS_ENDED_SERIES_MAX);
    assert_true(ended_value("(other)", METRICS_CONNECTIONS) > 400);
}

static void
test_wrong_files(void **state)
{
    (void)state;
    add_series("web", METRICS_INBOUND);
    atomic_store(&live.series_end, METRICS_SERIES_MAX + 1);
    close(write_live("too-many.live"));
    assert_int_equal(metrics_fold_read(dir_fd, "too-many.live", &seen), METRICS_DEAD);
    assert_int_equal(atomic_load(&seen.series_end), 0);

    atomic_store(&live.series_end, 1);
    live.layout++;
    close(write_live("other-version.live"));
    assert_int_equal(metrics_fold_read(dir_fd, "other-version.live", &seen),
                     METRICS_DEAD);
    assert_int_equal(atomic_load(&seen.series_end), 0);

    atomic_store(&live.magic, 0);
    close(write_live("being-made.live"));
    assert_int_equal(metrics_fold_read(dir_fd, "being-made.live", &seen), METRICS_YOUNG);

    atomic_store(&live.magic, 12345);
    close(write_live("strange.live"));
    assert_int_equal(metrics_fold_read(dir_fd, "strange.live", &seen), METRICS_STRANGE);
    assert_int_equal(symlinkat("/etc/passwd", dir_fd, "link.live"), 0);
    assert_int_equal(metrics_fold_read(dir_fd, "link.live", &seen), METRICS_STRANGE);
    assert_int_equal(mkfifoat(dir_fd, "fifo.live", 0600), 0);
    assert_int_equal(metrics_fold_read(dir_fd, "fifo.live", &seen), METRICS_STRANGE);
    metrics_fold_dead(dir_fd);
    assert_int_equal(faccessat(dir_fd, "strange.live", F_OK, 0), 0);
    assert_int_equal(faccessat(dir_fd, "other-version.live", F_OK, 0), -1);
}

static void
test_texts_end(void **state)
{
    (void)state;
    struct metrics_series *series = add_series("", METRICS_INBOUND);
    memset(live.service, 'x', sizeof(live.service));
    memset(series->rule, 'y', sizeof(series->rule));
    memset(live.open[0].peer, 'z', sizeof(live.open[0].peer));
    atomic_store(&live.open_end, 1);
    atomic_store(&live.identity_count, 1000);
    close(write_live("1.1.live"));
    assert_int_equal(metrics_fold_read(dir_fd, "1.1.live", &seen), METRICS_DEAD);
    assert_int_equal(strlen(seen.service), sizeof(seen.service) - 1);
    assert_int_equal(strlen(seen.series[0].rule), sizeof(seen.series[0].rule) - 1);
    assert_int_equal(strlen(seen.open[0].peer), sizeof(seen.open[0].peer) - 1);
    assert_int_equal(atomic_load(&seen.identity_count), METRICS_IDENTITIES_MAX);
}

static void
test_nobody_waits_for_a_lock(void **state)
{
    (void)state;
    int reader = metrics_fold_lock(dir_fd, false);
    int other = metrics_fold_lock(dir_fd, false);
    assert_true(reader >= 0);
    assert_true(other >= 0);
    int fd = write_live("1.1.live");
    assert_int_equal(metrics_fold_one(dir_fd, "1.1.live", &live), -EAGAIN);
    assert_int_equal(faccessat(dir_fd, "1.1.live", F_OK, 0), 0);
    close(other);
    close(reader);
    assert_int_equal(metrics_fold_one(dir_fd, "1.1.live", &live), 0);
    close(fd);
}

/* The least of many rounds: what the machine does besides is not of interest. */
static void
test_costs_next_to_nothing(void **state)
{
    enum { CALLS = 100000, ROUNDS = 50 };
    static struct record_conn conn;
    (void)state;
    double least = 1e9;
    atomic_store(&conn.rx_count, &live.open[0].in);
    for (int round = 0; round < ROUNDS; round++) {
        struct timespec start;
        struct timespec end;
        clock_gettime(CLOCK_MONOTONIC, &start);
        for (int i = 0; i < CALLS; i++) {
            record_count_record(&conn.rx_count);
            record_count_bytes(&conn.rx_count, 100);
            __asm__ volatile("" ::: "memory");
        }
        clock_gettime(CLOCK_MONOTONIC, &end);
        double took = (double)(end.tv_sec - start.tv_sec) * 1e9 +
                      (double)(end.tv_nsec - start.tv_nsec);
        least = took / CALLS < least ? took / CALLS : least;
    }
    printf("a record of one call is counted in %.2f ns\n", least);
    assert_int_equal(atomic_load(&live.open[0].in.records), CALLS * ROUNDS);
    assert_true(least < 20);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_lives_until_the_lock_is_free),
        TEST(test_totals_add_up),
        TEST(test_series_are_bounded),
        TEST(test_wrong_files),
        TEST(test_texts_end),
        TEST(test_nobody_waits_for_a_lock),
        TEST(test_costs_next_to_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
