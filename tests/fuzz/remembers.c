/* A subject that does nothing but remember, in static data and in what it allocates: for who puts its memory back.
 *
 * With -DELSEWHERE it also has memory that the C library allocates, which nobody can put back.
 */
#include <stdlib.h>
#include <string.h>

#include <xenrig/c/subject.h>

struct note {
    struct note* next;
    unsigned number;
};

static struct note* notes;
static unsigned count = 1000;
#ifdef ELSEWHERE
static char* volatile elsewhere;
#endif

/* How many notes there are, and the sum of their numbers in the high bits; one more at each call. */
XENRIG_EXPORT unsigned remember(void);
unsigned remember(void) {
    struct note* n = malloc(sizeof *n);
    unsigned sum = 0, all = 0;
    if (n == NULL) abort();
    n->next = notes;
    n->number = ++count;
    notes = n;
    for (; n != NULL; n = n->next, ++all) sum += n->number;
#ifdef ELSEWHERE
    /* Kept where the compiler can't see its end, or it would leave both calls out. */
    free((void*)elsewhere);
    elsewhere = strdup("elsewhere");
#endif
    return sum << 8 | all;
}

static void* create(const struct xenrig_platform* xen, const char* path, const struct xenrig_disks* disks) {
    (void)xen, (void)path, (void)disks;
    return NULL;
}
static int start(void* self) {
    (void)self;
    return 0;
}
static void stop(void* self) { (void)self; }

static const struct xenrig_blkback blkback = {
    .size = sizeof(struct xenrig_blkback), .create = create, .start = start, .stop = stop, .destroy = stop};

XENRIG_EXPORT const struct xenrig_subject xenrig_subject = {
    .size = sizeof(struct xenrig_subject), .abi = XENRIG_C_ABI, .name = "remembers.c", .blkback = &blkback};
