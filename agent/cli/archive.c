/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/archive.h"

#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK_BYTES = 512, STORED_BYTES_MAX = 65535 };

/* pax "ustar" (POSIX.1-1988): numbers are octal texts. */
struct header {
    char name[100], mode[8], uid[8], gid[8], size[12], time[12], checksum[8], type, link[100];
    char magic[6], version[2], user[32], group[32], major[8], minor[8], prefix[155], padding[12];
};
_Static_assert(sizeof(struct header) == BLOCK_BYTES, "a header is one block");

static void archive_append(struct archive *archive, const void *bytes, size_t length)
{
    if (archive->length + length > archive->capacity) {
        archive->capacity = (archive->length + length) * 2;
        char *larger = text_allocate(archive->capacity);
        if (archive->length)
            memcpy(larger, archive->bytes, archive->length);
        archive->bytes = larger;
    }
    if (length)
        memcpy(archive->bytes + archive->length, bytes, length);
    archive->length += length;
}

static void archive_pad(struct archive *archive, size_t bytes)
{
    static const char zeros[2 * BLOCK_BYTES];
    archive_append(archive, zeros, bytes);
}

void archive_add(struct archive *archive, const char *name, const char *bytes, size_t length)
{
    struct header header = {.mode = "0000600", .uid = "0000000", .gid = "0000000", .type = '0', .magic = "ustar"};
    unsigned sum = 0;
    memcpy(header.version, "00", 2);
    snprintf(header.name, sizeof header.name, "%s/%s", archive->directory, name);
    snprintf(header.size, sizeof header.size, "%011llo", (unsigned long long)length);
    snprintf(header.time, sizeof header.time, "%011llo", (unsigned long long)archive->time_s);
    memset(header.checksum, ' ', sizeof header.checksum); /* as which it is counted */
    for (size_t i = 0; i < sizeof header; i++)
        sum += ((const unsigned char *)&header)[i];
    snprintf(header.checksum, sizeof header.checksum, "%06o", sum);
    archive_append(archive, &header, sizeof header);
    archive_append(archive, bytes, length);
    archive_pad(archive, (BLOCK_BYTES - length % BLOCK_BYTES) % BLOCK_BYTES);
}

/* CRC-32 of RFC 1952, section 8. */
static uint32_t archive_checksum(const char *bytes, size_t length)
{
    uint32_t sum = ~0u;
    for (size_t i = 0; i < length; i++) {
        sum ^= (unsigned char)bytes[i];
        for (unsigned bit = 0; bit < 8; bit++)
            sum = sum & 1 ? sum >> 1 ^ 0xedb88320u : sum >> 1;
    }
    return ~sum;
}

static void write_number(FILE *file, uint32_t number, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        fputc((int)(number >> 8 * i & 0xff), file);
}

static void write_member(FILE *file, const char *bytes, size_t length)
{
    static const unsigned char head[10] = {0x1f, 0x8b, 8, [9] = 3 /* Unix */};
    fwrite(head, 1, sizeof head, file);
    for (size_t at = 0; at < length;) {
        size_t part = length - at < STORED_BYTES_MAX ? length - at : STORED_BYTES_MAX;
        write_number(file, at + part == length ? 1 : 0, 1); /* is it the last block */
        write_number(file, (uint32_t)part, 2);
        write_number(file, ~(uint32_t)part, 2);
        fwrite(bytes + at, 1, part, file);
        at += part;
    }
    write_number(file, archive_checksum(bytes, length), 4);
    write_number(file, (uint32_t)length, 4);
}

int archive_write(struct archive *archive, const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno;
    FILE *file = fdopen(fd, "w");
    if (!file) {
        close(fd);
        unlink(path);
        return ENOMEM;
    }
    archive_pad(archive, 2 * BLOCK_BYTES); /* the end */
    write_member(file, archive->bytes, archive->length);
    bool is_written = fflush(file) == 0 && fsync(fd) == 0;
    int error = is_written ? 0 : errno;
    if (fclose(file) != 0 && !error)
        error = errno;
    if (error)
        unlink(path);
    return error;
}
