/* SPDX-License-Identifier: GPL-2.0-only */
/* PCI devices by sysfs, as far as the proofs need them. */
#include <dirent.h>

#define PCI_FOLDER "/sys/bus/pci/devices"

static void pci_read(const char *bdf, const char *name, char *value, int size)
{
    char path[400];
    int fd, n;

    snprintf(path, sizeof(path), PCI_FOLDER "/%s/%s", bdf, name);
    fd = open(path, O_RDONLY);
    n = fd < 0 ? -1 : read(fd, value, size - 1);
    value[n < 0 ? 0 : n] = 0;
    if ( fd >= 0 )
        close(fd);
}

/* Finds a device by vendor, device and, unless NULL, the beginning of its class. */
static int pci_find(const char *vendor, const char *device, const char *class, char *bdf)
{
    DIR *folder = opendir(PCI_FOLDER);
    struct dirent *entry;
    char value[32];

    while ( folder && (entry = readdir(folder)) )
    {
        if ( entry->d_name[0] == '.' )
            continue;
        pci_read(entry->d_name, "vendor", value, sizeof(value));
        if ( strncmp(value, vendor, strlen(vendor)) )
            continue;
        pci_read(entry->d_name, "device", value, sizeof(value));
        if ( strncmp(value, device, strlen(device)) )
            continue;
        pci_read(entry->d_name, "class", value, sizeof(value));
        if ( class && strncmp(value, class, strlen(class)) )
            continue;
        snprintf(bdf, 64, "%.60s", entry->d_name);
        closedir(folder);
        return 0;
    }
    if ( folder )
        closedir(folder);
    return -1;
}

#define COMMAND_MEMORY_MASTER 0x006
#define COMMAND_INTX_DISABLE  0x400

/* Turns on memory space, bus mastering and INTx, and maps a BAR; NULL if it cannot. */
static void *pci_map(const char *bdf, int number, unsigned long size)
{
    char path[400];
    unsigned short command = 0;
    void *at;
    int fd;

    snprintf(path, sizeof(path), PCI_FOLDER "/%s/enable", bdf);
    fd = open(path, O_WRONLY);
    if ( fd >= 0 && write(fd, "1", 1) != 1 )
        perror(path);
    close(fd);

    snprintf(path, sizeof(path), PCI_FOLDER "/%s/config", bdf);
    fd = open(path, O_RDWR);
    if ( pread(fd, &command, 2, 4) == 2 )
    {
        command = (command | COMMAND_MEMORY_MASTER) & ~COMMAND_INTX_DISABLE;
        if ( pwrite(fd, &command, 2, 4) != 2 )
            perror(path);
    }
    close(fd);

    snprintf(path, sizeof(path), PCI_FOLDER "/%s/resource%d", bdf, number);
    fd = open(path, O_RDWR | O_SYNC);
    at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);

    return at == MAP_FAILED ? NULL : at;
}

#define CAPABILITIES   0x34
#define CAPABILITY_MSI 0x05
#define MSI_64BIT      0x80
#define MSI_ENABLE     0x01

/* Lets a device send @data to @address instead of pulling its line; where its capability is, or -1. */
static inline int pci_msi(const char *bdf, unsigned int address, unsigned short data)
{
    unsigned char at = 0, head[4] = { 0 };
    unsigned int high = 0;
    char path[400];
    int fd, hops, done = -1;

    snprintf(path, sizeof(path), PCI_FOLDER "/%s/config", bdf);
    fd = open(path, O_RDWR);
    if ( pread(fd, &at, 1, CAPABILITIES) != 1 )
        at = 0;
    for ( hops = 0; at && hops < 48; hops++, at = head[1] )
    {
        if ( pread(fd, head, 4, at) != 4 )
            break;
        if ( head[0] != CAPABILITY_MSI )
            continue;
        if ( pwrite(fd, &address, 4, at + 4) == 4 &&
             (!(head[2] & MSI_64BIT) || pwrite(fd, &high, 4, at + 8) == 4) &&
             pwrite(fd, &data, 2, at + (head[2] & MSI_64BIT ? 12 : 8)) == 2 )
        {
            head[2] |= MSI_ENABLE;
            done = pwrite(fd, head + 2, 2, at + 2) == 2 ? at : -1;
        }
        break;
    }
    close(fd);

    return done;
}
