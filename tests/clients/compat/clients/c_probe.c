/* SPDX-License-Identifier: Apache-2.0 */
/* Prints its environment: whether a static program runs under the supervisor shows there. */
#include <stdio.h>

int main(int count, char **words, char **environment)
{
    (void)count, (void)words;
    for (; *environment != NULL; environment++)
        puts(*environment);
    return 0;
}
