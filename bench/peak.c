
/*
 * peak program argument ...
 *
 * Runs the program and prints the peak resident memory, in kilobytes, of the
 * largest of it and the children that it waited for; its exit status; how many
 * microseconds it took, from the fork on; and of processor time, of them all.
 */

#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>


static long long peak_us(void);


int
main(int argc, char **argv)
{
    int            status;
    pid_t          pid;
    long long      begin, us;
    struct rusage  usage;

    if (argc < 2) {
        fprintf(stderr, "usage: peak program argument ...\n");
        return 1;
    }

    begin = peak_us();
    pid = fork();

    if (pid == 0) {
        execvp(argv[1], argv + 1);
        _exit(127);
    }

    if (pid == -1 || waitpid(pid, &status, 0) == -1) {
        perror("peak");
        return 1;
    }

    us = peak_us() - begin;

    if (getrusage(RUSAGE_CHILDREN, &usage) == -1) {
        perror("peak");
        return 1;
    }

    printf("%ld %d %lld %lld\n", usage.ru_maxrss,
           WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
           us, (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000LL
           + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);

    return 0;
}


static long long
peak_us(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec * 1000000LL + ts.tv_nsec / 1000;
}
