#include "shim/record/fail.h"

#include <errno.h>

#include "shim/record/alert.h"
#include "shim/record/lock.h"

int
record_fail_dir(struct record_dir *dir, int err)
{
    int none = 0;

    return atomic_compare_exchange_strong(&dir->error, &none, err) ? err : none;
}

int
record_fail_both(struct record_conn *conn, int fd, int err)
{
    record_fail_dir(&conn->rec->tx, err);
    err = record_fail_dir(&conn->rec->rx, err);
    record_io.shutdown(fd, SHUT_RDWR);
    return err;
}

int
record_fail_alert(struct record_conn *conn, int fd, uint8_t alert, int err)
{
    record_alert_send(conn, fd, RECORD_ALERT_FATAL, alert);
    return record_fail_both(conn, fd, err);
}

void
record_cut(struct record_conn *conn, int fd, uint8_t alert, int err)
{
    RECORD_LOCK_SCOPE lock = {0};

    if (record_lock_take(&lock, conn, &conn->rec->rx, fd) == 0) {
        (void)record_fail_alert(conn, fd, alert, err);
    } else {
        (void)record_fail_both(conn, fd, err);
    }
}

bool
record_fail_is_transient(int err)
{
    switch (err) {
    case -EAGAIN:
    case -EINTR:
    case -ENOMEM:
    case -ENOBUFS:
    case -EBADF: /* another thread closed this fd; the connection may have others */
    case -ENOTSOCK:
        return true;
    default:
        return false;
    }
}
