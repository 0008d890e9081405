/* SPDX-License-Identifier: Apache-2.0 */
/* A line that says what is waited for, when it takes long and somebody watches. By a timer's signal: the wait itself
 * need not know. */
#include "cli/report.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

static char progress_text[128];
static volatile sig_atomic_t progress_length;
static bool progress_is_on;

static void progress_tick(int signal_number)
{
    const int saved = errno;
    (void)signal_number;
    if (progress_length > 0)
        (void)!write(STDERR_FILENO, progress_text, (size_t)progress_length);
    errno = saved;
}

static void progress_arm(long seconds)
{
    const struct itimerval interval = {{seconds, 0}, {seconds, 0}};
    setitimer(ITIMER_REAL, &interval, NULL);
}

void progress_begin(const char *what)
{
    const struct sigaction action = {.sa_handler = progress_tick, .sa_flags = SA_RESTART};
    progress_is_on = isatty(STDERR_FILENO) != 0;
    if (!progress_is_on)
        return;
    snprintf(progress_text, sizeof progress_text, "\r%s …", what);
    progress_length = (sig_atomic_t)strlen(progress_text);
    sigaction(SIGALRM, &action, NULL);
    progress_arm(1);
}

void progress_end(void)
{
    if (!progress_is_on)
        return;
    progress_arm(0);
    fprintf(stderr, "\r%*s\r", terminal_columns(progress_text), "");
    progress_is_on = false;
}
