/* Every call of xenstore.h, and what it brings, a line each: every_call, with XENSTORED_PATH as for any client.
 *
 * Plain C on Debian's libxenstore. The lines are compared with those that the real daemons were seen to bring. Nothing
 * sleeps: who waits for an event polls the handle's descriptor. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xenstore.h>

static const int kPatienceMs = 20000;

/* "ok", or the error that the library left. */
static void did(const char* what, bool done) { printf("%s: %s\n", what, done ? "ok" : strerrorname_np(errno)); }

static void text(const char* what, char* answer) {
    printf("%s: %s\n", what, answer != NULL ? answer : strerrorname_np(errno));
    free(answer);
}

static void value(struct xs_handle* h, xs_transaction_t t, const char* path) {
    unsigned int len = 0;
    char* bytes = xs_read(h, t, path, &len);
    if (bytes == NULL)
        printf("read %s: %s\n", path, strerrorname_np(errno));
    else
        printf("read %s: %u bytes '%s'\n", path, len, bytes);
    free(bytes);
}

static int by_name(const void* a, const void* b) { return strcmp(*(char* const*)a, *(char* const*)b); }

/* Children sorted: oxenstored puts new ones first. */
static void children(struct xs_handle* h, xs_transaction_t t, const char* path) {
    unsigned int num = 0;
    char** names = xs_directory(h, t, path, &num);
    if (names == NULL) {
        printf("directory %s: %s\n", path, strerrorname_np(errno));
        return;
    }
    qsort(names, num, sizeof *names, by_name);
    printf("directory %s: %u", path, num);
    for (unsigned int i = 0; i < num && num < 10; ++i) printf(" %s", names[i]);
    printf("\n");
    free(names);
}

static void permissions(struct xs_handle* h, const char* path) {
    unsigned int num = 0;
    struct xs_permissions* perms = xs_get_permissions(h, XBT_NULL, path, &num);
    if (perms == NULL) {
        printf("permissions %s: %s\n", path, strerrorname_np(errno));
        return;
    }
    printf("permissions %s:", path);
    for (unsigned int i = 0; i < num; ++i) printf(" %u:%d", perms[i].id, (int)perms[i].perms);
    printf("\n");
    free(perms);
}

static void wait_for_event(struct xs_handle* h) {
    struct pollfd p = {.fd = xs_fileno(h), .events = POLLIN};
    if (poll(&p, 1, kPatienceMs) == 1) return;
    printf("no event came\n");
    exit(1);
}

/* The next event, which comes sooner or later. */
static void event(struct xs_handle* h) {
    unsigned int num = 0;
    wait_for_event(h);
    char** e = xs_read_watch(h, &num);
    if (e == NULL)
        printf("event: %s\n", strerrorname_np(errno));
    else
        printf("event: %s %s, %u strings\n", e[XS_WATCH_PATH], e[XS_WATCH_TOKEN], num);
    free(e);
}

/* An event if there is one. */
static void checked_event(struct xs_handle* h) {
    char** e = xs_check_watch(h);
    if (e == NULL)
        printf("checked event: %s\n", strerrorname_np(errno));
    else
        printf("checked event: %s %s\n", e[XS_WATCH_PATH], e[XS_WATCH_TOKEN]);
    free(e);
}

static void nodes(struct xs_handle* h) {
    did("write", xs_write(h, XBT_NULL, "/every/call", "value", 5));
    value(h, XBT_NULL, "/every/call");
    did("write bytes", xs_write(h, XBT_NULL, "/every/bytes", "a\0b", 3));
    value(h, XBT_NULL, "/every/bytes");
    did("write nothing", xs_write(h, XBT_NULL, "/every/empty", "", 0));
    value(h, XBT_NULL, "/every/empty");
    did("write relative", xs_write(h, XBT_NULL, "every", "home", 4));
    value(h, XBT_NULL, "/local/domain/0/every");
    value(h, XBT_NULL, "/every/none");
    value(h, XBT_NULL, "/not//a/path");
    did("mkdir", xs_mkdir(h, XBT_NULL, "/every/directory/deep"));
    did("mkdir again", xs_mkdir(h, XBT_NULL, "/every/directory/deep"));
    children(h, XBT_NULL, "/every");
    children(h, XBT_NULL, "/every/none");
    did("rm", xs_rm(h, XBT_NULL, "/every/directory"));
    did("rm again", xs_rm(h, XBT_NULL, "/every/directory"));
    did("rm without a parent", xs_rm(h, XBT_NULL, "/every/directory/deep"));
    children(h, XBT_NULL, "/every");

    char longest[3000];
    memset(longest, 'v', sizeof longest);
    did("write a long value", xs_write(h, XBT_NULL, "/every/long", longest, sizeof longest));
    char path[100];
    bool all = true;
    for (int i = 0; i < 600; ++i) {
        snprintf(path, sizeof path, "/every/many/a-name-that-takes-room-%d", i);
        all = xs_mkdir(h, XBT_NULL, path) && all;
    }
    did("mkdir of 600", all);
    /* oxenstored answers with a message that is too long, and the library gives up its connection. */
    struct xs_handle* lists = xs_open(0);
    children(lists, XBT_NULL, "/every/many");
    xs_close(lists);
    did("rm of 600", xs_rm(h, XBT_NULL, "/every/many"));
}

static void rights(struct xs_handle* h) {
    permissions(h, "/every/call");
    struct xs_permissions perms[] = {{.id = 0, .perms = XS_PERM_NONE},
                                     {.id = 0, .perms = XS_PERM_READ | XS_PERM_WRITE}};
    did("set permissions", xs_set_permissions(h, XBT_NULL, "/every/call", perms, 2));
    permissions(h, "/every/call");
    permissions(h, "/every/none");
    did("set permissions of none", xs_set_permissions(h, XBT_NULL, "/every/none", perms, 1));
}

static void watches(struct xs_handle* h, struct xs_handle* other) {
    checked_event(h);
    did("watch", xs_watch(h, "/every", "token"));
    event(h);
    did("watch again", xs_watch(h, "/every", "token"));
    did("another writes", xs_write(other, XBT_NULL, "/every/call", "2", 1));
    event(h);
    did("another makes", xs_mkdir(other, XBT_NULL, "/every/new"));
    wait_for_event(h);
    checked_event(h);
    did("another removes", xs_rm(other, XBT_NULL, "/every/new"));
    event(h);
    checked_event(h);
    did("watch a relative path", xs_watch(h, "every", "relative"));
    event(h);
    did("write what is watched", xs_write(h, XBT_NULL, "every", "3", 1));
    event(h);
    did("watch what is special", xs_watch(h, "@releaseDomain", "special"));
    event(h);
    did("unwatch", xs_unwatch(h, "/every", "token"));
    did("unwatch again", xs_unwatch(h, "/every", "token"));
    did("unwatch another token", xs_unwatch(h, "every", "token"));
    did("another writes", xs_write(other, XBT_NULL, "/every/call", "4", 1));
    did("unwatch the relative one", xs_unwatch(h, "every", "relative"));
    did("unwatch the special one", xs_unwatch(h, "@releaseDomain", "special"));
    checked_event(h);

    /* Events of a watch that has been taken away are not reported, if the handle wants it so. */
    struct xs_handle* filtered = xs_open(XS_UNWATCH_FILTER);
    did("watch with a filter", xs_watch(filtered, "/every", "filtered"));
    did("another writes", xs_write(other, XBT_NULL, "/every/call", "5", 1));
    did("unwatch with a filter", xs_unwatch(filtered, "/every", "filtered"));
    checked_event(filtered);
    xs_close(filtered);
}

static void transactions(struct xs_handle* h, struct xs_handle* other) {
    xs_transaction_t t = xs_transaction_start(h);
    did("start", t != XBT_NULL);
    did("write in it", xs_write(h, t, "/every/inside", "1", 1));
    value(h, t, "/every/inside");
    value(h, XBT_NULL, "/every/inside");
    children(h, t, "/every");
    did("commit", xs_transaction_end(h, t, false));
    value(other, XBT_NULL, "/every/inside");
    did("commit again", xs_transaction_end(h, t, false));

    t = xs_transaction_start(h);
    did("write in one to abort", xs_write(h, t, "/every/aborted", "1", 1));
    did("rm in one to abort", xs_rm(h, t, "/every/inside"));
    did("abort", xs_transaction_end(h, t, true));
    value(h, XBT_NULL, "/every/aborted");
    value(h, XBT_NULL, "/every/inside");

    t = xs_transaction_start(h);
    value(h, t, "/every/call");
    did("write in one that collides", xs_write(h, t, "/every/call", "mine", 4));
    did("another writes", xs_write(other, XBT_NULL, "/every/call", "theirs", 6));
    did("commit of one that collides", xs_transaction_end(h, t, false));
    value(h, XBT_NULL, "/every/call");

    t = xs_transaction_start(h);
    value(h, t, "/every/call");
    did("another writes elsewhere", xs_write(other, XBT_NULL, "/elsewhere", "1", 1));
    did("write beside it", xs_write(h, t, "/every/call", "mine", 4));
    did("commit beside it", xs_transaction_end(h, t, false));
    value(h, XBT_NULL, "/every/call");

    did("use of no transaction", xs_write(h, 12345, "/every/call", "1", 1));
    did("end of no transaction", xs_transaction_end(h, 12345, true));

    struct xs_handle* hasty = xs_open(0);
    t = xs_transaction_start(hasty);
    did("write in one that is left open", xs_write(hasty, t, "/every/undone", "1", 1));
    xs_close(hasty);
    value(h, XBT_NULL, "/every/undone");
}

static void domains(struct xs_handle* h) {
    text("path of 0", xs_get_domain_path(h, 0));
    text("path of 77", xs_get_domain_path(h, 77));
    printf("0 is introduced: %d\n", xs_is_domain_introduced(h, 0));
    printf("77 is introduced: %d\n", xs_is_domain_introduced(h, 77));
    did("introduce 77", xs_introduce_domain(h, 77, 1234, 5));
    did("set target of 77", xs_set_target(h, 77, 78));
    did("resume 77", xs_resume_domain(h, 77));
    did("release 77", xs_release_domain(h, 77));
    did("release 0", xs_release_domain(h, 0));
    printf("suspend port of 77: %d\n", xs_suspend_evtchn_port(77));
    did("write it", xs_write(h, XBT_NULL, "/local/domain/77/device/suspend/event-channel", "9", 1));
    printf("suspend port of 77: %d\n", xs_suspend_evtchn_port(77));
    did("rm it", xs_rm(h, XBT_NULL, "/local/domain/77"));
    did("restrict", xs_restrict(h, 77));
}

static void control(struct xs_handle* h) {
    text("control check", xs_control_command(h, "check", NULL, 0));
    char line[] = "words";
    text("control print", xs_control_command(h, "print", line, sizeof line));
    text("debug print", xs_debug_command(h, "print", line, sizeof line));
}

static void handles(void) {
    struct xs_handle* h = xs_daemon_open();
    did("daemon_open", h != NULL && xs_fileno(h) >= 0);
    xs_daemon_close(h);
    h = xs_daemon_open_readonly();
    did("daemon_open_readonly", h != NULL);
    value(h, XBT_NULL, "/every/call");
    xs_daemon_close(h);
    h = xs_domain_open();
    did("domain_open", h != NULL);
    value(h, XBT_NULL, "/every/call");
    xs_close(h);
    h = xs_open(XS_OPEN_SOCKETONLY);
    did("open of the socket only", h != NULL);
    xs_daemon_destroy_postfork(h);
    xs_close(NULL);
    printf("subpath: %d %d %d\n", xs_path_is_subpath("/a", "/a/b"), xs_path_is_subpath("/a", "/a"),
           xs_path_is_subpath("/a/b", "/a"));
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    struct xs_handle* h = xs_open(0);
    struct xs_handle* other = xs_open(0);
    if (h == NULL || other == NULL) {
        perror("xs_open");
        return 1;
    }
    nodes(h);
    rights(h);
    watches(h, other);
    transactions(h, other);
    domains(h);
    control(h);
    handles();
    did("rm of all", xs_rm(h, XBT_NULL, "/every"));
    did("rm of the root", xs_rm(h, XBT_NULL, "/"));
    children(h, XBT_NULL, "/tool");
    xs_close(other);
    xs_close(h);
    return 0;
}
