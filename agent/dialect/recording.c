/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a recording is at most: by what decides how long it is for whoever decodes it, the rate of its samples or
 * its frames, and by the thriftiest coding that there is where that is not known. Called for requests whose answer may
 * not say it.
 */
#include "dialect/internal.h"

/* Opus, the most thrifty of the accepted formats, begins at 6 kbit/s (RFC 6716 section 2.1.1). */
enum { BYTES_PER_SECOND_MIN = 750 };

static uint64_t little(const char *at, unsigned bytes)
{
    uint64_t number = 0;
    for (unsigned i = bytes; i-- > 0;)
        number = number << 8 | (unsigned char)at[i];
    return number;
}

/* ---- WAVE ("Multimedia Programming Interface and Data Specifications 1.0", Microsoft and IBM) ---- */

/* Of a format chunk; 0: its samples are coded. */
static uint64_t read_byte_rate(struct slice format)
{
    enum { TAG_PCM = 1, TAG_FLOAT = 3, TAG_EXTENSIBLE = 0xfffe, EXTENSIBLE_BYTES = 40, SUBFORMAT_AT = 24 };
    uint64_t tag = little(format.data, 2), channels = little(format.data + 2, 2), rate = little(format.data + 4, 4),
             bits = little(format.data + 14, 2);
    if (tag == TAG_EXTENSIBLE && format.length >= EXTENSIBLE_BYTES)
        tag = little(format.data + SUBFORMAT_AT, 2);
    bool is_plain = (tag == TAG_PCM || tag == TAG_FLOAT) && bits >= 8 && bits <= 64 && bits % 8 == 0;
    return is_plain && channels <= 32 && rate <= 384000 ? rate * channels * (bits / 8) : 0;
}

/* 0: it is none, or not plainly one: of two formats some decoders believe the first, some the last. */
static uint64_t find_byte_rate(struct slice file)
{
    uint64_t byte_rate = 0;
    enum { CHUNKS_MAX = 64, CHUNK_HEAD_BYTES = 8, FORMAT_BYTES = 16 };
    if (file.length < 12 || memcmp(file.data, "RIFF", 4) != 0 || memcmp(file.data + 8, "WAVE", 4) != 0)
        return 0;
    struct slice rest = slice_from(file, 12);
    for (unsigned i = 0; i < CHUNKS_MAX && rest.length >= CHUNK_HEAD_BYTES; i++) {
        uint64_t bytes = little(rest.data + 4, 4);
        const char *name = rest.data;
        rest = slice_from(rest, CHUNK_HEAD_BYTES);
        if (memcmp(name, "data", 4) == 0)
            return byte_rate;
        bool is_format = memcmp(name, "fmt ", 4) == 0;
        if (bytes > rest.length || (is_format && (byte_rate || bytes < FORMAT_BYTES)))
            return 0;
        if (is_format && (byte_rate = read_byte_rate((struct slice){rest.data, (size_t)bytes})) == 0)
            return 0;
        rest = slice_from(rest, (size_t)(bytes + bytes % 2));
    }
    return 0;
}

/* ---- MPEG audio, layer III (ISO/IEC 11172-3 section 2.4.1.3, 13818-3) ---- */

struct frame {
    size_t bytes;
    uint64_t ns;
};

static bool read_frame(struct slice bytes, struct frame *ret_frame)
{
    static const uint16_t kbits[2][16] = {{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0},
                                          {0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0}};
    static const uint32_t rates[4] = {44100, 48000, 32000, 0};
    static const unsigned divisors[4] = {4, 0, 2, 1}; /* 2.5, none, 2, 1 */
    if (bytes.length < 4)
        return false;
    const unsigned char *head = (const unsigned char *)bytes.data;
    unsigned version = head[1] >> 3 & 3, is_layer_3 = (head[1] >> 1 & 3) == 1, is_first = version == 3;
    uint64_t rate = divisors[version] ? rates[head[2] >> 2 & 3] / divisors[version] : 0;
    uint64_t bits = kbits[is_first][head[2] >> 4] * 1000u, samples = is_first ? 1152 : 576;
    if (head[0] != 0xff || (head[1] & 0xe0) != 0xe0 || !is_layer_3 || !rate || !bits)
        return false;
    *ret_frame = (struct frame){(size_t)(samples / 8 * bits / rate + (head[2] >> 1 & 1)), samples * 1000000000 / rate};
    return true;
}

/* Behind the tags that a file may begin with (ID3v2.4 section 3.1: four times seven bits), where all decoders see the
 * same: not of other versions than 2 to 4, nor with a footer, which they pass over or not. */
static size_t skip_tags(struct slice file)
{
    enum { TAG_HEAD_BYTES = 10, TAGS_MAX = 16, HAS_FOOTER = 0x10 };
    size_t at = 0;
    for (unsigned i = 0; i < TAGS_MAX && file.length - at >= TAG_HEAD_BYTES && memcmp(file.data + at, "ID3", 3) == 0;
         i++) {
        const unsigned char *head = (const unsigned char *)file.data + at;
        size_t bytes = (size_t)head[6] << 21 | (size_t)head[7] << 14 | (size_t)head[8] << 7 | head[9];
        bytes += TAG_HEAD_BYTES;
        bool is_plain = head[3] >= 2 && head[3] <= 4 && head[4] != 0xff && !(head[5] & HAS_FOOTER) &&
                        !((head[6] | head[7] | head[8] | head[9]) & 0x80);
        if (!is_plain || bytes > file.length - at)
            break;
        at += bytes;
    }
    return at;
}

/* Frames one behind the other that agree in version, layer and sample rate, as decoders want it. */
struct chain {
    size_t bytes, count;
    uint64_t ns;
};

/* As many as there are, at most `most`, that agree with `head`. */
static struct chain follow(struct slice bytes, const char *head, size_t most)
{
    struct chain chain = {0};
    struct frame frame;
    while (chain.count < most && read_frame(slice_from(bytes, chain.bytes), &frame) &&
           frame.bytes <= bytes.length - chain.bytes) {
        const char *at = bytes.data + chain.bytes;
        if (((at[1] ^ head[1]) & 0xfe) || ((at[2] ^ head[2]) & 0x0c))
            break;
        chain.bytes += frame.bytes;
        chain.ns += frame.ns;
        chain.count++;
    }
    return chain;
}

/* A few bytes may look like frames, also within a frame: of fewer no decoder is sure, but where the file ends. */
enum { FRAMES_SURE = 12, FRAMES_AT_END = 3, FRAME_BYTES_MAX = 1441 };

/* What the frames last; *ret_bytes: how many bytes they and the tags are. Between them may be tags and zeros. */
static uint64_t count_frames(struct slice file, size_t *ret_bytes)
{
    const char *head = NULL;
    uint64_t ns = 0;
    size_t framed = 0;
    for (struct slice rest = file; rest.length;) {
        size_t tags = skip_tags(rest);
        rest = slice_from(rest, tags);
        while (rest.length && rest.data[0] == '\0')
            rest = slice_from(rest, 1);
        head = head ? head : rest.data;
        struct chain chain = follow(rest, head, SIZE_MAX);
        rest = slice_from(rest, chain.bytes);
        if (chain.count < (rest.length < FRAME_BYTES_MAX ? FRAMES_AT_END : FRAMES_SURE))
            break;
        framed += tags + chain.bytes;
        ns += chain.ns;
    }
    *ret_bytes = framed;
    return ns;
}

/* Somebody may decode them, and take what is around them for nothing. */
static bool has_frames(struct slice bytes)
{
    for (size_t at = 0; at + 4 <= bytes.length; at++) {
        const unsigned char *head = (const unsigned char *)bytes.data + at;
        if (head[0] == 0xff && (head[1] & 0xe6) == 0xe2 && /* most bytes, and all of silence, are none */
            follow(slice_from(bytes, at), bytes.data + at, FRAMES_SURE).count == FRAMES_SURE)
            return true;
    }
    return false;
}

uint64_t recording_bound_seconds(struct slice file)
{
    uint64_t byte_rate = find_byte_rate(file);
    size_t framed = 0;
    if (byte_rate && !has_frames(file))
        return file.length / byte_rate + 1;
    uint64_t ns = count_frames(file, &framed);
    return ns / 1000000000 + (file.length - framed) / BYTES_PER_SECOND_MIN + 1;
}
