
/*
 * How loops over samples are compiled: with vectors, and on x86-64 once more
 * for processors that have wider ones, chosen when the program starts.
 */

#ifndef _IMAGEGRAM_VECTOR_H_INCLUDED_
#define _IMAGEGRAM_VECTOR_H_INCLUDED_


#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__)          \
    && !defined(__SANITIZE_ADDRESS__)
#define IMAGEGRAM_VECTOR                                                      \
    __attribute__((optimize("O3"), target_clones("avx2", "default")))

#elif defined(__GNUC__) && !defined(__clang__)
#define IMAGEGRAM_VECTOR  __attribute__((optimize("O3")))

#else
#define IMAGEGRAM_VECTOR
#endif


#endif /* _IMAGEGRAM_VECTOR_H_INCLUDED_ */
