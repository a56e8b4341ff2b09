
/*
 * peak program argument ...
 *
 * Runs the program and prints the peak resident memory, in kilobytes, of the
 * largest of it and the children that it waited for, and its exit status.
 */

#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>


int
main(int argc, char **argv)
{
    int            status;
    pid_t          pid;
    struct rusage  usage;

    if (argc < 2) {
        fprintf(stderr, "usage: peak program argument ...\n");
        return 1;
    }

    pid = fork();

    if (pid == 0) {
        execvp(argv[1], argv + 1);
        _exit(127);
    }

    if (pid == -1 || waitpid(pid, &status, 0) == -1
        || getrusage(RUSAGE_CHILDREN, &usage) == -1)
    {
        perror("peak");
        return 1;
    }

    printf("%ld %d\n", usage.ru_maxrss,
           WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));

    return 0;
}
