/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starts a browser. Command lines are for everybody to read, so the browser is given a file of this user's alone that
 * leads to the address. Called by dashboard.c, which removes the file when the token has been used.
 */
#include "cli/dashboard.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static const char *open_write(const char *address)
{
    static const char suffix[] = ".html";
    const char *directory = getenv("XDG_RUNTIME_DIR");
    char *path =
        text_format("%s/tollgate-dashboard-XXXXXX%s", directory && directory[0] == '/' ? directory : "/tmp", suffix);
    int fd = mkostemps(path, sizeof suffix - 1, O_CLOEXEC); /* 0600 */
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!file)
        return NULL;
    fprintf(file,
            "<!doctype html><meta charset=utf-8><meta name=referrer content=no-referrer>\n"
            "<meta http-equiv=refresh content=\"0;url=%s\"><title>Tollgate</title><a href=\"%s\">Tollgate</a>\n",
            address, address);
    if (fclose(file) == 0)
        return path;
    unlink(path);
    return NULL;
}

const char *dashboard_open(const struct dashboard *dashboard, const char *address)
{
    const char *const displays[] = {getenv("WAYLAND_DISPLAY"), getenv("DISPLAY")};
    if (!(displays[0] && *displays[0]) && !(displays[1] && *displays[1]))
        return NULL;
    const char *path = open_write(address);
    if (!path)
        return NULL;
    char **environment = scrub_environment(&dashboard->agents[0].place);
    signal(SIGCHLD, SIG_IGN); /* nobody waits for it */
    if (fork() == 0) {
        const char *const arguments[] = {"xdg-open", path, NULL};
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        signal(SIGCHLD, SIG_DFL);
        setsid();
        int null = open("/dev/null", O_RDWR);
        for (int fd = 0; fd < 3; fd++)
            dup2(null, fd);
        execvpe(arguments[0], (char *const *)(const void *)arguments, environment);
        _exit(127);
    }
    return path;
}
