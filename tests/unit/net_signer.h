/* SPDX-License-Identifier: Apache-2.0 */
/* The signer of a test: certificates as an agent has them, their keys in a process of its own. One at a time. */
#ifndef NET_SIGNER_H
#define NET_SIGNER_H

#include "net/net.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
    int fd;
    pid_t pid;
} signer = {-1, 0};

static inline enum error signed_open(const char *directory, const char *const *names, size_t count,
                                     struct certificates **ret_certificates)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return ERROR_SYSTEM;
    signer.fd = ends[0];
    signer.pid = fork();
    if (signer.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(ends[0]);
        certificates_sign(ends[1], directory, names, count);
        _exit(0);
    }
    close(ends[1]);
    return certificates_open(directory, signer.fd, ret_certificates);
}

/* Also after an open that failed: certificates NULL. */
static inline void signed_close(struct certificates *certificates)
{
    certificates_free(certificates);
    close(signer.fd);
    while (signer.pid > 0 && waitpid(signer.pid, NULL, 0) < 0)
        ;
    signer.pid = 0;
}

#endif
