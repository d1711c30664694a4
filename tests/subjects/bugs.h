/* The bugs that these drivers can be built with: -DBUG=FRONT_INDEX_FIRST. Each stands in one place of its driver.
 *
 * tests/subjects/variants_test.cpp says which clauses each of them breaks.
 */
#ifndef TESTS_SUBJECTS_BUGS_H
#define TESTS_SUBJECTS_BUGS_H

enum bug {
    NO_BUG,

    FRONT_NO_FINAL_CHECK,        /* asks for an event and sleeps, without another look at the ring */
    FRONT_INDEX_FIRST,           /* publishes req_prod before the request */
    FRONT_NO_WMB,                /* publishes each request at once, with no barrier before req_prod */
    FRONT_NO_MB,                 /* looks at req_event before req_prod is visible */
    FRONT_NO_RMB,                /* no barrier between rsp_prod and response: that may be an old one */
    FRONT_NO_MB_BEFORE_SLEEP,    /* takes its last look before rsp_event is visible */
    FRONT_NEVER_NOTIFIES,        /* puts requests and sends no event */
    FRONT_TRUSTS_RSP_PROD,       /* takes whatever rsp_prod claims */
    FRONT_TRUSTS_ID,             /* a response with a strange id completes some request */
    FRONT_MATCHES_BY_ORDER,      /* responses belong to requests in the order in which they were made */
    FRONT_FETCHES_TWICE,         /* the id, and later the status, from the shared page */
    FRONT_IGNORES_STATUS,        /* whatever is answered is success */
    FRONT_OVERFILLS_RING,        /* 33 requests on a ring of 32 */
    FRONT_RING_NOT_INITIALISED,  /* req_event begins at 0 */
    FRONT_KEEPS_GRANTS,          /* pages stay granted when their request is done */
    FRONT_LAST_SECT_EXCLUSIVE,   /* last_sect is the one after the last */
    FRONT_FLUSHES_UNASKED,       /* sends flushes that the backend does not offer */
    FRONT_WRITES_READ_ONLY,      /* does not look at info */
    FRONT_LEAVES_DISK,           /* does not look at sectors */
    FRONT_SECTORS_32_BIT,        /* keeps the low half of `sectors` */
    FRONT_ANY_SECTOR_SIZE,       /* takes any sector-size */
    FRONT_MISSES_CONNECTED,      /* waits for InitWait of a backend that is Connected already */
    FRONT_INITIALISED_TOO_EARLY, /* writes Initialised, and parameters after it */
    FRONT_LEAKS_PORT,            /* closes the device and keeps its port */

    BACK_NO_FINAL_CHECK,     /* asks for an event and sleeps, without another look at the ring */
    BACK_NO_WMB,             /* no barrier between response and rsp_prod */
    BACK_NO_MB,              /* looks at rsp_event before rsp_prod is visible */
    BACK_NO_RMB,             /* no barrier between req_prod and request: that may be an old one */
    BACK_NO_MB_BEFORE_SLEEP, /* takes its last look before req_event is visible */
    BACK_TRUSTS_REQ_PROD,    /* takes what req_prod claims, once round the ring and more */
    BACK_FETCHES_TWICE,      /* validates one version of a request and does another (XSA-155) */
    BACK_ANSWERS_TWICE,      /* each flush has two responses */
    BACK_SWALLOWS_UNKNOWN,   /* no answer to an operation that it does not know */
    BACK_IGNORES_READ_ONLY,  /* writes to a disk with mode r */
    BACK_END_OVERFLOWS,      /* sector + count may wrap round */
    BACK_IGNORES_MAP_ERROR,  /* serves a request without the pages that could not be mapped (XSA-365) */
    BACK_LEAKS_MAPPING,      /* a request that fails keeps its pages mapped (XSA-371) */
    BACK_KEEPS_RING,         /* is Closed and keeps ring and port */
};

#ifndef BUG
#define BUG NO_BUG
#endif

#endif
