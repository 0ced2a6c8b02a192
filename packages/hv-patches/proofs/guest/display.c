/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two displays in one guest: QEMU's bochs-display, passed through, and the
 * standard VGA which the device model emulates. Counts register reads of both,
 * and draws a picture on the first.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include "pci.h"

#define WIDTH 640
#define HEIGHT 480

enum { ID, XRES, YRES, BPP, ENABLE, BANK, VIRT_WIDTH, VIRT_HEIGHT, X_OFFSET, Y_OFFSET };

static volatile uint16_t *registers_of(const char *bdf)
{
    uint8_t *bar = pci_map(bdf, 2, 4096);

    return bar ? (volatile uint16_t *)(bar + 0x500) : NULL;
}

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

/* Reads of the identification register a second, over two seconds. */
static void count(const char *name, volatile uint16_t *registers)
{
    double start = seconds(), spent;
    unsigned long reads = 0;
    uint16_t id;

    do {
        id = registers[ID];
        reads++;
        spent = seconds() - start;
    } while ( spent < 2 );
    printf("## registers %s id=%#x reads_per_s=%.0f\n", name, id, reads / spent);
}

static void draw(const char *bdf, volatile uint16_t *registers)
{
    volatile uint32_t *pixels = pci_map(bdf, 0, 4UL * WIDTH * HEIGHT);
    unsigned int x, y;

    if ( !pixels )
        return;
    registers[ENABLE] = 0;
    registers[XRES] = WIDTH;
    registers[YRES] = HEIGHT;
    registers[BPP] = 32;
    registers[VIRT_WIDTH] = WIDTH;
    registers[X_OFFSET] = registers[Y_OFFSET] = 0;
    registers[ENABLE] = 0x41;
    for ( y = 0; y < HEIGHT; y++ )
        for ( x = 0; x < WIDTH; x++ )
            pixels[y * WIDTH + x] = (x & 255) << 16 | (y & 255) << 8 | ((x ^ y) & 255);
    printf("## picture %ux%u\n", WIDTH, HEIGHT);
}

int main(void)
{
    char direct[64], emulated[64];
    volatile uint16_t *registers;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if ( !pci_find("0x1234", "0x1111", "0x0300", emulated) && (registers = registers_of(emulated)) )
        count("emulated", registers);
    if ( !pci_find("0x1234", "0x1111", "0x0380", direct) && (registers = registers_of(direct)) )
    {
        count("direct", registers);
        draw(direct, registers);
    }

    return 0;
}
