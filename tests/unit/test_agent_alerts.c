/* SPDX-License-Identifier: Apache-2.0 */
/* What alerts stand on: how long a wallet lasts, and the helper process that runs the operator's command. */
#include "notify.h"
#include "pace.h"
#include "suite.h"

#include <sys/wait.h>
#include <unistd.h>

enum { HOUR_S = 3600, START_S = 100000 };

static struct money usd(int64_t usd)
{
    return (struct money){usd * 1000000000};
}

TEST(pace_says_nothing_before_an_hour)
{
    struct pace pace = {.count = 0};
    int64_t seconds = -7;
    pace_note(&pace, START_S, usd(0));
    CU_ASSERT(!pace_find(&pace, START_S + HOUR_S - 1, usd(5), usd(10), &seconds));
    EXPECT_INTEGER(seconds, -7);
    CU_ASSERT(pace_find(&pace, START_S + HOUR_S, usd(5), usd(10), &seconds));
    EXPECT_INTEGER(seconds, 2 * HOUR_S);
}

TEST(pace_without_spending_lasts_for_ever)
{
    struct pace pace = {.count = 0};
    int64_t seconds;
    pace_note(&pace, START_S, usd(3));
    CU_ASSERT(!pace_find(&pace, START_S + 5 * HOUR_S, usd(3), usd(10), &seconds));
    CU_ASSERT(!pace_find(&(struct pace){.count = 0}, START_S, usd(3), usd(10), &seconds));
}

/* What was spent more than a day ago does not count: 100 USD in the first hour, then 1 USD an hour for two days. */
TEST(pace_forgets_after_a_day)
{
    struct pace pace = {.count = 0};
    int64_t seconds = 0, time_s = START_S;
    pace_note(&pace, time_s, usd(0));
    for (int i = 0; i < 48 * 60; i++) { /* each minute; one sample in ten is kept */
        time_s += 60;
        pace_note(&pace, time_s, (struct money){usd(100).nano + (int64_t)i * 1000000000 / 60});
    }
    struct money spent = {usd(100).nano + (int64_t)48 * 1000000000};
    CU_ASSERT(pace_find(&pace, time_s, spent, usd(12), &seconds));
    EXPECT(seconds > 11 * HOUR_S && seconds < 13 * HOUR_S, "%lld s", (long long)seconds);
    CU_ASSERT(pace_find(&pace, time_s, spent, usd(0), &seconds));
    EXPECT_INTEGER(seconds, 0);
}

TEST(pace_bears_the_largest_amounts)
{
    struct pace pace = {.count = 0};
    int64_t seconds = 0;
    pace_note(&pace, START_S, (struct money){0});
    CU_ASSERT(pace_find(&pace, START_S + HOUR_S, (struct money){1}, MONEY_MAX, &seconds));
    EXPECT_INTEGER(seconds, INT64_MAX);
}

struct attempt {
    enum error error;
    char why[256];
};

static struct attempt run(struct notify *notify, const char *script, uint32_t timeout_ms)
{
    struct attempt attempt = {.why = ""};
    const char *const command[] = {"/bin/sh", "-c", script, NULL}, *const variables[] = {"TOLLGATE_ALERT_KIND=x", NULL};
    attempt.error =
        notify_run(notify, command, variables, SLICE_LITERAL("{\"a\":1}"), timeout_ms, attempt.why, sizeof attempt.why);
    return attempt;
}

TEST(command_gets_the_alert_and_no_secret)
{
    setenv("TEST_SECRET_KEY", "sk-secret", 1);
    struct notify *notify = notify_open();
    CU_ASSERT_FATAL(notify != NULL);
    EXPECT_INTEGER(run(notify, "[ \"$(cat)\" = '{\"a\":1}' ]", 5000).error, ERROR_OK);
    EXPECT_INTEGER(run(notify, "[ \"$TOLLGATE_ALERT_KIND\" = x ] && [ -n \"$PATH\" ]", 5000).error, ERROR_OK);
    EXPECT_INTEGER(run(notify, "[ -z \"$TEST_SECRET_KEY\" ]", 5000).error, ERROR_OK);
    EXPECT_INTEGER(run(notify, "[ -n \"$TEST_SECRET_KEY\" ]", 5000).error, ERROR_SYSTEM); /* the check can fail */
    EXPECT_INTEGER(run(notify, "[ \"$(ls /proc/self/fd | wc -l)\" -le 4 ]", 5000).error, ERROR_OK);
    unsetenv("TEST_SECRET_KEY");
    notify_close(notify);
}

TEST(command_that_fails_says_how)
{
    struct notify *notify = notify_open();
    CU_ASSERT_FATAL(notify != NULL);
    EXPECT_STRING(run(notify, "exit 3", 5000).why, "/bin/sh exited with 3");
    EXPECT_STRING(run(notify, "kill -TERM $$", 5000).why, "/bin/sh was ended by signal 15");
    EXPECT_STRING(run(notify, "sleep 600 & sleep 600", 200).why, "/bin/sh did not end in time and was killed");
    const char *const absent[] = {"/nonexistent/program", NULL}, *const none[] = {NULL};
    char why[256] = "";
    EXPECT_INTEGER(notify_run(notify, absent, none, SLICE_LITERAL("{}"), 5000, why, sizeof why), ERROR_SYSTEM);
    EXPECT_STRING(why, "/nonexistent/program: No such file or directory");
    EXPECT_INTEGER(run(notify, "exit 0", 5000).error, ERROR_OK); /* and the helper goes on */
    notify_close(notify);
}

TEST(command_too_large_is_refused)
{
    static char huge[NOTIFY_WORDS_BYTES_MAX + 1], body[NOTIFY_BODY_BYTES_MAX + 1];
    struct notify *notify = notify_open();
    char why[256] = "";
    memset(huge, 'x', sizeof huge - 1);
    memset(body, 'x', sizeof body);
    const char *const command[] = {"/bin/true", huge, NULL}, *const small[] = {"/bin/true", NULL},
                      *const none[] = {NULL};
    CU_ASSERT_FATAL(notify != NULL);
    EXPECT_INTEGER(notify_run(notify, command, none, SLICE_LITERAL("{}"), 5000, why, sizeof why),
                   ERROR_REQUEST_INVALID);
    EXPECT_INTEGER(notify_run(notify, small, none, (struct slice){body, sizeof body}, 5000, why, sizeof why),
                   ERROR_REQUEST_INVALID);
    EXPECT_INTEGER(notify_run(notify, small, none, (struct slice){body, sizeof body - 1}, 5000, why, sizeof why),
                   ERROR_OK);
    notify_close(notify);
}

TEST(helper_is_gone_after_close)
{
    struct notify *notify = notify_open();
    CU_ASSERT_FATAL(notify != NULL);
    notify_close(notify);
    EXPECT_INTEGER(waitpid(-1, NULL, WNOHANG), -1); /* no child is left, not even a dead one */
    notify_close(NULL);
    EXPECT_INTEGER(run(NULL, "exit 0", 5000).error, ERROR_SYSTEM);
}
