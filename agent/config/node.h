/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A YAML file as a tree of nodes that know their line and column. Called by the loader only. What YAML can do beyond
 * plain data (anchors, aliases, merge keys, tags, directives, further documents, duplicate keys) is refused here, and
 * all work is bounded, so that no file, however hostile, costs noticeable time or memory.
 */
#ifndef CONFIG_NODE_H
#define CONFIG_NODE_H

#include "config/config.h"

enum {
    DOCUMENT_BYTES_MAX = 1 << 20,
    DOCUMENT_DEPTH_MAX = 32,    /* libyaml 0.2.5 needs over 60 s for 200 KB of '[' when nothing stops it */
    DOCUMENT_NODES_MAX = 65536, /* the price list has 10,000 */
    DOCUMENT_LINES_MAX = 32768,
};

enum node_kind { NODE_SCALAR, NODE_SEQUENCE, NODE_MAPPING, NODE_BROKEN /* reported already: stay silent about it */ };

struct node {
    enum node_kind kind;
    bool is_plain;           /* a scalar without quotes, not a block scalar */
    unsigned line, column;   /* 1-based, columns count characters */
    struct slice text;       /* of a scalar */
    const struct node *key;  /* in a mapping: the member's key */
    const struct node *next; /* of the same parent */
    const struct node *first;
    size_t count; /* children */
};

struct document {
    const char *file;
    struct slice text; /* what quotes of lines are taken from: secrets in it get masked */
    char *bytes;       /* the same memory */
    bool is_masked;
    const struct node *root; /* NULL: no valid YAML */
    unsigned cursor_line;    /* of document_line: problems mostly come in order */
    size_t cursor;
};

/* Reads and parses a file; what is wrong with it goes to problems. False: there is no usable root (unreadable, too
 * large, broken, empty). The document's memory is the arena's. */
bool document_read(const char *file, struct arena *arena, struct config_problems *problems,
                   struct document *ret_document) MUST_USE;

/* The same from bytes in memory (NUL-terminated, may be overwritten by masks); file is what problems name. */
bool document_parse(const char *file, char *bytes, size_t length, struct arena *arena, struct config_problems *problems,
                    struct document *ret_document) MUST_USE;

const struct node *node_member(const struct node *mapping, const char *name); /* NULL: absent or no mapping */
bool node_is(const struct node *node, const char *text);                      /* a scalar with this text */
/* The sequence at root.section.name (section NULL: root.name); NULL: absent or none. */
const struct node *node_list(const struct node *root, const char *section, const char *name);
/* A list's nodes and the elements that it was parsed into correspond, unless some were refused: NULL then. */
const struct node *node_first(const struct node *list, size_t count);
const struct node *node_value(const struct node *mapping, const char *name); /* the member, else the mapping itself */
/* The nth line without its end; empty when there is none. */
struct slice document_line(struct document *document, unsigned line);

/* A regular file's bytes into the arena. FILE_UNREADABLE with errno; errno EFBIG when larger than bytes_max. */
enum error file_read(const char *file, size_t bytes_max, struct arena *arena, char **ret_bytes,
                     size_t *ret_length) MUST_USE;
/* The same of a file that is open, from where it stands. */
enum error file_read_open(int fd, size_t bytes_max, struct arena *arena, char **ret_bytes, size_t *ret_length) MUST_USE;
/* Replaces a file (0600) by rename: a reader sees the old bytes or the new ones, and the new ones are on disk when it
 * returns. FILE_UNWRITABLE with the old file in place. Writers of one file must take turns. */
enum error file_replace(const char *file, struct slice bytes) MUST_USE;

#endif
