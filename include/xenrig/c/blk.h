/* What a block device's driver is asked for, and what stands behind its backend.
 *
 * A frontend does what its users ask (transfer, flush, discard); a backend is given storage. All sectors are units of
 * 512 bytes, whatever the disk's own sector size. Every function runs in a task of the subject's domain and may block.
 * Source: xen/io/blkif.h.
 */
#ifndef XENRIG_C_BLK_H
#define XENRIG_C_BLK_H

#include "xenrig/c/platform.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a frontend tells its users. */
struct xenrig_disk_info {
    uint64_t bytes;
    uint32_t sector_bytes, physical_sector_bytes;
    int read_only;
};

/* One transfer between the disk and `data`, whole sectors. The pages that it goes through begin with `first` sectors
 * that don't belong to it (0 to 7). */
struct xenrig_transfer {
    int write;
    unsigned first;
    uint64_t sector;
    void* data;
    size_t length; /* bytes */
};

struct xenrig_blkfront {
    uint32_t size;

    /* The device's directory is there: "device/vbd/51712". NULL when there is no memory. */
    void* (*create)(const struct xenrig_platform* xen, const char* path);
    /* Begins the handshake. */
    int (*start)(void* self);
    /* The directory is gone, or will be: gives everything back, ends the tasks. Users' calls end with -ENODEV. */
    void (*stop)(void* self);
    /* After stop(), or after the domain has died, when no task of it runs any more: frees memory and nothing else. May
     * run outside any task. */
    void (*destroy)(void* self);

    /* Waits until the disk may be used; an error when it was closed. */
    int (*wait_connected)(void* self, struct xenrig_disk_info* out);
    int (*transfer)(void* self, const struct xenrig_transfer* transfer);
    int (*flush)(void* self);
    /* May be NULL: there are no discards. */
    int (*discard)(void* self, uint64_t sector, uint64_t sectors, int secure);

    /* Before a suspend, with the store still answering: on return no task touches a shared page or talks to the store.
     * Both may be NULL: then scenarios that move the guest are refused. */
    void (*suspend)(void* self);
    /* `cancelled`: all is as it was. Else another domain, perhaps another host: windows, grants, mappings and channels
     * are dead, the device's directory has been made anew, and what has no answer is asked again. */
    void (*resume)(void* self, int cancelled);
};

struct xenrig_storage_info {
    uint64_t bytes;
    uint32_t sector_bytes, physical_sector_bytes;
    int read_only;
    uint32_t discard_granularity; /* bytes; 0 where there are no discards */
};

/* What stands behind a backend. Durable is what was written before a flush that has returned. */
struct xenrig_storage {
    uint32_t size;
    struct xenrig_storage_info info;
    /* Whole sectors, inside the storage. -EIO, -ENOSPC, -EROFS. */
    int (*transfer)(struct xenrig_storage* storage, int write, uint64_t sector, void* data, size_t length);
    int (*flush)(struct xenrig_storage* storage);
    int (*discard)(struct xenrig_storage* storage, uint64_t sector, uint64_t sectors, int secure);
    void (*close)(struct xenrig_storage* storage);
};

/* Opens storage by the nodes of the backend's directory. */
struct xenrig_disks {
    uint32_t size;
    int (*open)(const struct xenrig_disks* disks, const char* params, const char* type, int read_only,
                struct xenrig_storage** out);
};

struct xenrig_blkback {
    uint32_t size;

    /* The device's directory is there: "backend/vbd/3/51712". `disks` lives as long as the subject. */
    void* (*create)(const struct xenrig_platform* xen, const char* path, const struct xenrig_disks* disks);
    int (*start)(void* self);
    /* As of a frontend. */
    void (*stop)(void* self);
    void (*destroy)(void* self);
};

#ifdef __cplusplus
}
#endif

#endif
