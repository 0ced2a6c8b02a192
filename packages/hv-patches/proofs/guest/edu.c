/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Drives QEMU's educational PCI device (docs/specs/edu.rst) from user space.
 *
 *   edu dma             a page to the device and back, by its guest-physical address
 *   edu irq             raise the interrupt, wait for it in uio0
 *   edu msi             the same as a message, to a vector that Linux counts
 *   edu peek ADDR...    have the device read these machine addresses
 *   edu scan COUNT      have it read random pages below 1 GiB, count the secret ones
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include "pci.h"

#define PAGE 4096
#define DEVICE_BUFFER 0x40000
#define SECRET "SALLYPORT-SECRET"

static volatile uint8_t *bar;

#define REG32(offset) (*(volatile uint32_t *)(bar + (offset)))
#define REG64(offset) (*(volatile uint64_t *)(bar + (offset)))

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static uint64_t guest_physical(const void *at)
{
    uint64_t entry = 0;
    int fd = open("/proc/self/pagemap", O_RDONLY);

    if ( pread(fd, &entry, 8, (uintptr_t)at / PAGE * 8) != 8 )
        perror("pagemap");
    close(fd);

    return (entry & ((1ULL << 55) - 1)) * PAGE + (uintptr_t)at % PAGE;
}

/* One transfer of a page; the device takes about 100 ms of its own time. */
static int transfer(uint64_t from, uint64_t to, int to_memory)
{
    int i;

    REG64(0x80) = from;
    REG64(0x88) = to;
    REG64(0x90) = PAGE;
    REG64(0x98) = to_memory ? 3 : 1;
    for ( i = 0; i < 2000; i++, usleep(2000) )
        if ( !(REG64(0x98) & 1) )
            return 0;

    return -1;
}

/* Memory at @machine as the device sees it, by way of its own buffer. */
static int device_reads(uint64_t machine, uint8_t *page)
{
    memset(page, 0xee, PAGE);
    return transfer(machine, DEVICE_BUFFER, 0) ||
           transfer(DEVICE_BUFFER, guest_physical(page), 1);
}

static void dma(uint8_t *pages)
{
    uint8_t *back = pages + PAGE;
    int late;

    memset(pages, 0xa5, 2 * PAGE);
    strcpy((char *)pages, "SALLYPORT-DMA-PATTERN");
    memset(back, 0, PAGE);
    late = device_reads(guest_physical(pages), back);
    printf("## dma %s gpa=%#llx%s\n",
           memcmp(pages, back, PAGE) ? "MISMATCH" : "MATCH",
           (unsigned long long)guest_physical(pages), late ? " late" : "");
}

static void irq(void)
{
    uint32_t count = 0;
    int fd = open("/dev/uio0", O_RDWR);
    double start;

    if ( fd < 0 )
    {
        printf("## irq none (no uio0)\n");
        return;
    }
    alarm(10);
    REG32(0x60) = 1;
    start = now_ms();
    if ( read(fd, &count, 4) != 4 )
        count = 0;
    printf("## irq count=%u ms=%.1f status=%#x\n", count, now_ms() - start, REG32(0x24));
    REG32(0x64) = 1;
}

/* How often the first processor got the vector that /proc/interrupts calls @name. */
static long counted(const char *name)
{
    FILE *table = fopen("/proc/interrupts", "r");
    char line[400], label[16];
    long count, found = -1;

    while ( table && fgets(line, sizeof(line), table) )
        if ( sscanf(line, " %15[^:]: %ld", label, &count) == 2 &&
             !strcmp(label, name) )
            found = count;
    if ( table )
        fclose(table);

    return found;
}

/*
 * Linux has no driver for this device that asks for a message.  So the message
 * names a vector which Linux has a handler for at all times, and which nobody
 * else sends in a guest without guests of its own: KVM's posted interrupt.
 */
#define VECTOR       0xf2
#define VECTOR_NAME  "PIN"
#define APIC_ADDRESS 0xfee00000U /* processor 0, physical, fixed, edge */

static void msi(const char *bdf)
{
    long before = counted(VECTOR_NAME), after = before;
    int capability = pci_msi(bdf, APIC_ADDRESS, VECTOR), i;
    double start;

    if ( capability < 0 || before < 0 )
    {
        printf("## msi none (capability %d, counter %ld)\n", capability, before);
        return;
    }
    start = now_ms();
    REG32(0x60) = 2;
    for ( i = 0; i < 5000 && after == before; i++, usleep(2000) )
        after = counted(VECTOR_NAME);
    /* It does not come a second time, as a level would. */
    usleep(200000);
    printf("## msi count=%ld ms=%.1f status=%#x vector=%#x capability=%#x\n",
           counted(VECTOR_NAME) - before, now_ms() - start - 200,
           REG32(0x24), VECTOR, capability);
    REG32(0x64) = 2;
}

static void peek(uint64_t machine, uint8_t *page)
{
    int i, late = device_reads(machine, page);

    printf("## peek %#llx%s", (unsigned long long)machine, late ? " late" : "");
    for ( i = 0; i < 16; i++ )
        printf(" %02x", page[i]);
    printf("\n");
}

static void scan(int count, uint8_t *page)
{
    uint64_t x = 88172645463325252ULL;
    int hits = 0, i;

    for ( i = 0; i < count; i++ )
    {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        /* From 64 MiB to 964 MiB: where a kernel does not lie. */
        device_reads(((x % (900ULL << 8)) + (64ULL << 8)) * PAGE, page);
        hits += !!memmem(page, PAGE, SECRET, strlen(SECRET));
    }
    printf("## scan pages=%d secret=%d\n", count, hits);
}

int main(int argc, char **argv)
{
    char bdf[64];
    uint8_t *pages;
    int i;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if ( argc < 2 || pci_find("0x1234", "0x11e8", NULL, bdf) )
    {
        printf("## edu none\n");
        return 1;
    }
    bar = pci_map(bdf, 0, 1 << 20);
    pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_LOCKED, -1, 0);
    if ( !bar || pages == MAP_FAILED )
    {
        printf("## edu unusable\n");
        return 1;
    }
    /* It answers with the complement: it is there, and its registers are. */
    REG32(4) = 0x12345678;
    printf("## edu %s id=%#x alive=%d\n", bdf, REG32(0), REG32(4) == 0xedcba987);

    if ( !strcmp(argv[1], "dma") )
        dma(pages);
    else if ( !strcmp(argv[1], "irq") )
        irq();
    else if ( !strcmp(argv[1], "msi") )
        msi(bdf);
    else if ( !strcmp(argv[1], "scan") )
        scan(atoi(argv[2]), pages);
    else
        for ( i = 2; i < argc; i++ )
            peek(strtoull(argv[i], NULL, 0), pages);

    return 0;
}
