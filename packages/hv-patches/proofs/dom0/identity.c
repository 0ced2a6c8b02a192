/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hypercalls which no tool of Debian's makes.
 *
 *   identity DOMID GFN   ask for what would end the identity map; print the answers
 *   identity DOMID kill  destroy a domain without the toolstack's tidying up first
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

/* Linux: include/uapi/xen/privcmd.h */
struct hypercall {
    uint64_t op;
    uint64_t arg[5];
};
#define PRIVCMD_HYPERCALL _IOC(_IOC_NONE, 'P', 0, sizeof(struct hypercall))

/* Xen: include/public/memory.h */
#define MEMORY_OP 12
#define EXCHANGE 11
#define ADD_TO_PHYSMAP 7
#define SPACE_GMFN 2

struct reservation {
    uint64_t *extents;
    uint64_t count;
    uint32_t order, flags;
    uint16_t domid;
};

struct exchange {
    struct reservation in, out;
    uint64_t done;
};

struct add_to_physmap {
    uint16_t domid, size;
    uint32_t space;
    uint64_t index, gfn;
};

/* Xen: include/public/domctl.h */
#define DOMCTL 36
#define DOMCTL_VERSION 0x17
#define DESTROY 2

struct domctl {
    uint32_t command, version;
    uint16_t domid, pad[3];
    uint64_t rest[16];
};

static void ask(const char *name, struct hypercall call)
{
    int fd = open("/dev/xen/privcmd", O_RDWR);

    if ( ioctl(fd, PRIVCMD_HYPERCALL, &call) < 0 )
        printf("%s %s\n", name, errno == EPERM ? "EPERM" : strerror(errno));
    else
        printf("%s accepted\n", name);
}

static void ask_memory(const char *name, int op, void *arg)
{
    ask(name, (struct hypercall){ .op = MEMORY_OP, .arg = { op, (uintptr_t)arg } });
}

static void kill_domain(uint16_t domid)
{
    struct domctl control = { .command = DESTROY, .version = DOMCTL_VERSION, .domid = domid };

    ask("kill", (struct hypercall){ .op = DOMCTL, .arg = { (uintptr_t)&control } });
}

int main(int argc, char **argv)
{
    uint16_t domid;
    uint64_t in, out;
    struct exchange exchange;
    struct add_to_physmap add;

    if ( argc < 3 )
        return 1;
    domid = atoi(argv[1]);
    if ( !strcmp(argv[2], "kill") )
    {
        kill_domain(domid);
        return 0;
    }
    in = out = strtoull(argv[2], NULL, 0);
    exchange = (struct exchange){
        .in = { .extents = &in, .count = 1, .domid = domid },
        .out = { .extents = &out, .count = 1, .domid = domid },
    };
    add = (struct add_to_physmap){ .domid = domid, .space = SPACE_GMFN, .index = in + 1, .gfn = in };
    ask_memory("exchange", EXCHANGE, &exchange);
    ask_memory("add_to_physmap", ADD_TO_PHYSMAP, &add);

    return 0;
}
