
/*
 * Preloaded by a test: calls fail, one after the other.
 *
 * Whatever the module or imagegram-convert calls of nginx, the C library and
 * others (FAULTS_CALLS below says what) goes through here: their own tables of
 * such addresses are changed, so it is the program that runs otherwise, too.
 * The file CONTROL is shared with the test, see control_t: while it is armed
 * for who calls, the first call that is due fails, which disarms it.  From each
 * place the first call since it was armed is due, then the second one, until as
 * many have failed as the test wishes.
 *
 * Arguments are passed on as six integers, which all of these calls have at
 * most; none has a float.
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>


#define FAULTS_PLACES  4096

#if defined(__x86_64__)
#define FAULTS_JUMP_SLOT  R_X86_64_JUMP_SLOT
#elif defined(__aarch64__)
#define FAULTS_JUMP_SLOT  R_AARCH64_JUMP_SLOT
#endif


/* the test writes the first four */

typedef struct {
    uint32_t  armed;            /* who fails next: 'm'odule, 'c'onverter, 0 */
    uint32_t  turn;             /* another number each time it is armed */
    uint32_t  times;            /* so many calls from a place fail at most */
    uint32_t  n;                /* places; 0: all is forgotten */
    uint32_t  locked;
    uint32_t  failures;         /* ever, and the place of the last one */
    uint64_t  last;

    struct {
        uint64_t  who;
        uint64_t  offset;       /* in the file */
        uint32_t  turn;
        uint32_t  calls;        /* in that turn */
        uint32_t  failed;
        char      name[36];     /* of what is called */
    } places[FAULTS_PLACES];
} control_t;


static int fails(void *caller, const char *name, int error);
static uint32_t find(uintptr_t offset, const char *name);
static int is_due(uint32_t i);
static int patch(struct dl_phdr_info *info, size_t size, void *data);
static void patch_slot(const char *name, void **slot);


static control_t  *control;
static uintptr_t   base;
static uint32_t    who;


/* name, what it gives where it fails, errno */

#define FAULTS_CALLS(call)                                                    \
    call(malloc, 0, ENOMEM)                                                   \
    call(calloc, 0, ENOMEM)                                                   \
    call(realloc, 0, ENOMEM)                                                  \
    call(ngx_alloc, 0, ENOMEM)                                                \
    call(ngx_palloc, 0, ENOMEM)                                               \
    call(ngx_pnalloc, 0, ENOMEM)                                              \
    call(ngx_pcalloc, 0, ENOMEM)                                              \
    call(ngx_pstrdup, 0, ENOMEM)                                              \
    call(ngx_create_pool, 0, ENOMEM)                                          \
    call(ngx_pool_cleanup_add, 0, ENOMEM)                                     \
    call(ngx_array_create, 0, ENOMEM)                                         \
    call(ngx_array_push, 0, ENOMEM)                                           \
    call(ngx_list_push, 0, ENOMEM)                                            \
    call(ngx_alloc_chain_link, 0, ENOMEM)                                     \
    call(ngx_slab_alloc_locked, 0, ENOMEM)                                    \
    call(ngx_slab_calloc_locked, 0, ENOMEM)                                   \
    call(ngx_shared_memory_add, 0, ENOMEM)                                    \
    call(ngx_thread_pool_add, 0, ENOMEM)                                      \
    call(ngx_thread_task_alloc, 0, ENOMEM)                                    \
    call(ngx_thread_task_post, -1, ENOMEM)                                    \
    call(ngx_get_connection, 0, EMFILE)                                       \
    call(ngx_event_connect_peer, -1, ENOMEM)                                  \
    call(ngx_handle_read_event, -1, ENOMEM)                                   \
    call(ngx_handle_write_event, -1, ENOMEM)                                  \
    call(ngx_tcp_nodelay, -1, EIO)                                            \
    call(ngx_nonblocking, -1, EIO)                                            \
    call(ngx_conf_full_name, -1, ENOMEM)                                      \
    call(ngx_parse_url, -1, ENOMEM)                                           \
    call(ngx_http_compile_complex_value, -1, ENOMEM)                          \
    call(ngx_http_complex_value, -1, ENOMEM)                                  \
    call(ngx_http_send_header, -1, ENOMEM)                                    \
    call(ngx_http_output_filter, -1, ENOMEM)                                  \
    call(ngx_http_read_client_request_body, 500, ENOMEM)                      \
    call(ngx_http_read_unbuffered_request_body, 500, ENOMEM)                  \
    call(ngx_http_discard_request_body, 500, ENOMEM)                          \
    call(ngx_read_file, -1, EIO)                                              \
    call(redisFormatCommandArgv, -1, ENOMEM)                                  \
    call(redisReaderCreateWithFunctions, 0, ENOMEM)                           \
    call(redisReaderFeed, -1, ENOMEM)                                         \
    call(redisReaderGetReply, -1, ENOMEM)                                     \
    call(deflateInit2_, -4, ENOMEM)                                           \
    call(deflate, -2, ENOMEM)                                                 \
    call(open, -1, EIO)                                                       \
    call(open64, -1, EIO)                                                     \
    call(openat64, -1, EIO)                                                   \
    call(opendir, 0, EIO)                                                     \
    call(fdopendir, 0, EIO)                                                   \
    call(readdir64, 0, EIO)                                                   \
    call(read, -1, EIO)                                                       \
    call(pread, -1, EIO)                                                      \
    call(pread64, -1, EIO)                                                    \
    call(write, -1, EIO)                                                      \
    call(writev, -1, EIO)                                                     \
    call(pwrite64, -1, EIO)                                                   \
    call(pwritev64, -1, EIO)                                                  \
    call(lseek, -1, EIO)                                                      \
    call(stat, -1, EIO)                                                       \
    call(stat64, -1, EIO)                                                     \
    call(lstat64, -1, EIO)                                                    \
    call(fstat, -1, EIO)                                                      \
    call(fstat64, -1, EIO)                                                    \
    call(fstatat64, -1, EIO)                                                  \
    call(access, -1, EIO)                                                     \
    call(chmod, -1, EIO)                                                      \
    call(fchmod, -1, EIO)                                                     \
    call(fchown, -1, EIO)                                                     \
    call(utimensat, -1, EIO)                                                  \
    call(fsync, -1, EIO)                                                      \
    call(fdatasync, -1, EIO)                                                  \
    call(sync_file_range, -1, EIO)                                            \
    call(ftruncate, -1, EIO)                                                  \
    call(ftruncate64, -1, EIO)                                                \
    call(flock, -1, EIO)                                                      \
    call(fcntl64, -1, EIO)                                                    \
    call(link, -1, EIO)                                                       \
    call(rename, -1, EIO)                                                     \
    call(mkdir, -1, EIO)                                                      \
    call(rmdir, -1, EIO)                                                      \
    call(unlink, -1, EIO)                                                     \
    call(unlinkat, -1, EIO)                                                   \
    call(mkostemp, -1, EIO)                                                   \
    call(memfd_create, -1, EMFILE)                                            \
    call(pipe, -1, EMFILE)                                                    \
    call(socketpair, -1, EMFILE)                                              \
    call(dup2, -1, EMFILE)                                                    \
    call(sendmsg, -1, EIO)                                                    \
    call(recvmsg, -1, EIO)                                                    \
    call(recv, -1, EIO)                                                       \
    call(getsockopt, -1, EIO)                                                 \
    call(poll, -1, EIO)                                                       \
    call(signalfd, -1, EMFILE)                                                \
    call(sigprocmask, -1, EINVAL)                                             \
    call(fork, -1, EAGAIN)                                                    \
    call(kill, -1, EPERM)                                                     \
    call(posix_spawn, EAGAIN, EAGAIN)                                         \
    call(posix_spawn_file_actions_addopen, ENOMEM, ENOMEM)                    \
    call(posix_spawn_file_actions_adddup2, ENOMEM, ENOMEM)                    \
    call(posix_spawn_file_actions_addclosefrom_np, ENOMEM, ENOMEM)            \
    call(getpwnam, 0, EIO)                                                    \
    call(getpwuid, 0, EIO)                                                    \
    call(getgrnam, 0, EIO)                                                    \
    call(initgroups, -1, EPERM)                                               \
    call(setgid, -1, EPERM)                                                   \
    call(setuid, -1, EPERM)                                                   \
    call(close_range, -1, ENOSYS)                                             \
    call(getrlimit, -1, EPERM)                                                \
    call(setrlimit, -1, EPERM)                                                \
    call(getpriority, -1, EPERM)                                              \
    call(setpriority, -1, EPERM)                                              \
    call(prctl, -1, EPERM)                                                    \
    call(signal, -1, EINVAL)                                                  \
    call(__cxa_atexit, -1, ENOMEM)                                            \
    call(seccomp_init, 0, ENOMEM)                                             \
    call(seccomp_export_bpf, -ENOMEM, ENOMEM)                                 \
    call(cmsPlugin, 0, ENOMEM)                                                \
    call(cmsCreate_sRGBProfile, 0, ENOMEM)                                    \
    call(cmsOpenProfileFromMem, 0, ENOMEM)                                    \
    call(cmsCreateTransform, 0, ENOMEM)


typedef long  (*call_pt)(long, long, long, long, long, long);

#define wrap(name, value, error)                                              \
                                                                              \
    static call_pt  real_##name;                                              \
                                                                              \
    static long                                                               \
    wrap_##name(long a, long b, long c, long d, long e, long f)               \
    {                                                                         \
        if (fails(__builtin_return_address(0), #name, error)) {               \
            return value;                                                     \
        }                                                                     \
                                                                              \
        return real_##name(a, b, c, d, e, f);                                 \
    }

FAULTS_CALLS(wrap)


#define entry(name, value, error)  { #name, wrap_##name, &real_##name },

static const struct {
    const char  *name;
    call_pt      wrap;
    call_pt     *real;
} calls[] = {
    FAULTS_CALLS(entry)
};


static void __attribute__((constructor))
begin(void)
{
    int    fd;
    void  *p;

    fd = open(CONTROL, O_RDWR | O_CLOEXEC);
    p = mmap(NULL, sizeof(control_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
             0);
    close(fd);

    if (p != MAP_FAILED) {
        control = p;
    }

    if (strcmp(program_invocation_short_name, "imagegram-convert") == 0) {
        (void) dl_iterate_phdr(patch, "");
    }
}


/* nginx loads its modules with it */

void *
dlopen(const char *path, int flags)
{
    void  *handle;

    handle = ((__typeof__(&dlopen)) dlsym(RTLD_NEXT, "dlopen"))(path, flags);

    if (handle && path && strstr(path, "ngx_http_imagegram_module.so")) {
        (void) dl_iterate_phdr(patch, (void *) path);
    }

    return handle;
}


static int
patch(struct dl_phdr_info *info, size_t size, void *data)
{
    size_t             i, n;
    const char        *strings;
    uintptr_t          page;
    const ElfW(Dyn)   *d;
    const ElfW(Sym)   *symbols;
    const ElfW(Rela)  *rela;

    (void) size;

    if (strcmp(info->dlpi_name, data) != 0) {
        return 0;
    }

    base = info->dlpi_addr;
    who = *(char *) data ? 'm' : 'c';

    for (i = 0; info->dlpi_phdr[i].p_type != PT_DYNAMIC; i++) {
        /* there is one */
    }

    d = (void *) (base + info->dlpi_phdr[i].p_vaddr);
    rela = NULL;
    strings = NULL;
    symbols = NULL;
    n = 0;

    for ( /* void */ ; d->d_tag != DT_NULL; d++) {

        switch (d->d_tag) {
        case DT_JMPREL:
            rela = (void *) d->d_un.d_ptr;
            break;

        case DT_PLTRELSZ:
            n = d->d_un.d_val / sizeof(ElfW(Rela));
            break;

        case DT_STRTAB:
            strings = (void *) d->d_un.d_ptr;
            break;

        case DT_SYMTAB:
            symbols = (void *) d->d_un.d_ptr;
            break;
        }
    }

    for (i = 0; i < n; i++) {
        void  **slot = (void **) (base + rela[i].r_offset);

        if (ELF64_R_TYPE(rela[i].r_info) != FAULTS_JUMP_SLOT) {
            continue;
        }

        /* where addresses are found at the start only they are protected */

        page = (uintptr_t) slot & -(uintptr_t) sysconf(_SC_PAGESIZE);
        (void) mprotect((void *) page, sizeof(void *) + (uintptr_t) slot - page,
                        PROT_READ | PROT_WRITE);

        patch_slot(strings + symbols[ELF64_R_SYM(rela[i].r_info)].st_name,
                   slot);
    }

    return 1;
}


static void
patch_slot(const char *name, void **slot)
{
    size_t  i;

    for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {

        if (strcmp(name, calls[i].name) == 0) {
            *calls[i].real = (call_pt) dlsym(RTLD_DEFAULT, name);
            *slot = calls[i].wrap;
        }
    }
}


/* Without a system call: a converter's child is in its sandbox. */

static int
fails(void *caller, const char *name, int error)
{
    int  due;

    if (control == NULL || control->armed != who) {
        return 0;
    }

    while (__atomic_exchange_n(&control->locked, 1, __ATOMIC_ACQUIRE)) {
        /* another thread, or process */
    }

    due = control->armed == who
          && is_due(find((uintptr_t) caller - base, name));

    __atomic_store_n(&control->locked, 0, __ATOMIC_RELEASE);

    if (due) {
        errno = error;
    }

    return due;
}


static uint32_t
find(uintptr_t offset, const char *name)
{
    uint32_t  i;

    for (i = 0; i < control->n; i++) {
        if (control->places[i].who == who
            && control->places[i].offset == offset)
        {
            return i;
        }
    }

    if (i == FAULTS_PLACES) {
        return 0;
    }

    memset(&control->places[i], 0, sizeof(control->places[i]));
    control->places[i].who = who;
    control->places[i].offset = offset;
    strncpy(control->places[i].name, name,
            sizeof(control->places[i].name) - 1);
    control->n++;

    return i;
}


static int
is_due(uint32_t i)
{
    if (control->places[i].turn != control->turn) {
        control->places[i].turn = control->turn;
        control->places[i].calls = 0;
    }

    if (control->places[i].failed == control->times
        || ++control->places[i].calls <= control->places[i].failed)
    {
        return 0;
    }

    control->places[i].failed++;
    control->failures++;
    control->last = i;
    control->armed = 0;

    return 1;
}
