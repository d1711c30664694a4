/* What a frontend's users ask: a transfer is cut into operations of up to eleven pages, and each is waited for. */
#include <stdlib.h>
#include <string.h>

#include "blkfront.h"

void op_append(struct op_list* list, struct op* op) {
    op->next = NULL;
    if (list->first == NULL) list->end = &list->first;
    *list->end = op;
    list->end = &op->next;
}

struct op* op_pop(struct op_list* list) {
    struct op* op = list->first;
    if (op != NULL) list->first = op->next;
    return op;
}

void op_remove(struct op_list* list, struct op* op) {
    struct op** link = &list->first;
    while (*link != op) link = &(*link)->next;
    *link = op->next;
    if (list->end == &op->next) list->end = link;
}

void op_prepend(struct op_list* list, struct op_list* others) {
    if (others->first == NULL) return;
    *others->end = list->first;
    if (list->first == NULL) list->end = others->end;
    list->first = others->first;
    others->first = NULL;
}

size_t op_offset(const struct op* op, unsigned i) { return i == 0 ? op->first * SECTOR : 0; }

size_t op_length(const struct op* op, unsigned i) {
    const size_t before = i == 0 ? 0 : i * XENRIG_PAGE_SIZE - op->first * SECTOR;
    const size_t room = XENRIG_PAGE_SIZE - op_offset(op, i);
    return op->length - before < room ? op->length - before : room;
}

static struct op* op_new(struct blkfront* f, uint8_t kind, size_t length) {
    struct op* op = calloc(1, sizeof *op);
    if (op != NULL) op->data = malloc(length + 1);
    if (op == NULL || op->data == NULL) {
        free(op);
        return NULL;
    }
    op->kind = kind;
    op->length = length;
    f->dev.xen->tasks->lock(f->worker.lock);
    op->next_of_all = f->all;
    op->link_of_all = &f->all;
    if (f->all != NULL) f->all->link_of_all = &op->next_of_all;
    f->all = op;
    f->dev.xen->tasks->unlock(f->worker.lock);
    return op;
}

/* From destroy() without the lock: nobody else is there any more. */
void op_free(struct blkfront* f, struct op* op) {
    (void)f;
    *op->link_of_all = op->next_of_all;
    if (op->next_of_all != NULL) op->next_of_all->link_of_all = op->link_of_all;
    free(op->data);
    free(op);
}

/* Queues it and waits until it is done. */
static int run(struct blkfront* f, struct op* op) {
    const struct xenrig_tasks* tasks = f->dev.xen->tasks;
    tasks->lock(f->worker.lock);
    op_append(&f->queue, op);
    tasks->unlock(f->worker.lock);
    worker_poke(&f->worker);
    tasks->lock(f->worker.lock);
    while (!op->done) {
        /* The worker has ended, and with it whoever could do this. */
        if (!f->worker.running && f->phase == CLOSED) break;
        tasks->wait(f->changed, f->worker.lock);
    }
    const int result = op->done ? op->result : -XENRIG_ENODEV;
    tasks->unlock(f->worker.lock);
    return result;
}

static void forget(struct blkfront* f, struct op* op) {
    f->dev.xen->tasks->lock(f->worker.lock);
    op_free(f, op);
    f->dev.xen->tasks->unlock(f->worker.lock);
}

int blkfront_transfer(void* self, const struct xenrig_transfer* t) {
    struct blkfront* f = self;
    unsigned char* data = t->data;
    unsigned first = t->first;
    int result = 0;
    for (size_t at = 0; at < t->length && result == 0;) {
        const size_t room = PAGES_MAX * XENRIG_PAGE_SIZE - first * SECTOR;
        const size_t length = t->length - at < room ? t->length - at : room;
        struct op* op = op_new(f, t->write ? BLKIF_OP_WRITE : BLKIF_OP_READ, length);
        if (op == NULL) return -XENRIG_ENOMEM;
        op->first = first;
        op->sector = t->sector + at / SECTOR;
        op->pages = (unsigned)((first * SECTOR + length + XENRIG_PAGE_SIZE - 1) / XENRIG_PAGE_SIZE);
        if (t->write) memcpy(op->data, data + at, length);
        result = run(f, op);
        if (!t->write && result == 0) memcpy(data + at, op->data, length);
        forget(f, op);
        at += length;
        first = 0;
    }
    return result;
}

int blkfront_flush(void* self) {
    struct blkfront* f = self;
    struct op* op = op_new(f, BLKIF_OP_FLUSH_DISKCACHE, 0);
    if (op == NULL) return -XENRIG_ENOMEM;
    const int result = run(f, op);
    forget(f, op);
    return result;
}

int blkfront_wait_connected(void* self, struct xenrig_disk_info* out) {
    struct blkfront* f = self;
    const struct xenrig_tasks* tasks = f->dev.xen->tasks;
    tasks->lock(f->worker.lock);
    while (f->phase == CONNECTING) tasks->wait(f->changed, f->worker.lock);
    *out = f->info;
    const int result = f->phase == CONNECTED ? 0 : -XENRIG_ENODEV;
    tasks->unlock(f->worker.lock);
    return result;
}
