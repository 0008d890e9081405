/* SPDX-License-Identifier: Apache-2.0 */
/* Uses what the shim hooks, on names and addresses that are not governed, and says what came of it. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct addrinfo *answer = NULL;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int result = connect(fd, (struct sockaddr *)&address, sizeof address);
    printf("connect %d %s, descriptor %d\n", result, strerror(errno), fd);
    printf("name %d\n", getaddrinfo("127.0.0.1", "80", NULL, &answer));
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        execl("/bin/sh", "sh", "-c", "exit 6", (char *)NULL);
        _exit(1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    printf("child %d, system %d\n", WEXITSTATUS(status), WEXITSTATUS(system("exit 5")));
    return 3;
}
