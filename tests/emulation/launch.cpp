/*
 * Launches. A thread of a block runs on a fibre of its own only when the one before it waits at a
 * barrier: kernels without barriers are plain loops. A fibre is begun with makecontext; after that
 * jumps switch, as swapcontext asks the kernel for the signal mask each time.
 */
#include "cuda_runtime.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdlib.h>
#include <ucontext.h>

enum { MOST_THREADS = 1024, STACK_BYTES = 128 << 10 };

struct fibre {
    jmp_buf at;
    void *stack;     /* kept to the end of the process; NULL: not begun */
    unsigned thread; /* which it runs */
    bool waits;      /* at a barrier */
};

dim3 threadIdx, blockIdx, blockDim, gridDim;

static fibre fibres[MOST_THREADS];
static jmp_buf scheduler;
static fibre *running;
static void (*current_body)(const void *);
static const void *current_context;
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
static uint32_t draws = 1;

static uint32_t draw()
{
    draws = draws * 1664525u + 1013904223u;
    return draws >> 16;
}

static void set_thread(unsigned t)
{
    threadIdx = dim3(t % blockDim.x, t / blockDim.x % blockDim.y, t / blockDim.x / blockDim.y);
}

/* Back to the scheduler, until it resumes this fibre. */
static void leave(fibre *mine)
{
    if (_setjmp(mine->at) == 0)
        _longjmp(scheduler, 1);
}

void __syncthreads()
{
    fibre *mine = running;
    mine->waits = true;
    leave(mine);
    set_thread(mine->thread); /* others ran meanwhile */
}

/* A fibre runs one thread after the other, told by the scheduler. */
static void run_threads()
{
    for (;;) {
        current_body(current_context);
        running->waits = false;
        leave(running);
    }
}

static void begin(fibre *f)
{
    static ucontext_t context;
    f->stack = malloc(STACK_BYTES);
    getcontext(&context);
    context.uc_stack.ss_sp = f->stack;
    context.uc_stack.ss_size = STACK_BYTES;
    context.uc_link = NULL;
    makecontext(&context, run_threads, 0);
    setcontext(&context);
}

static void resume(fibre *f)
{
    running = f;
    set_thread(f->thread);
    if (_setjmp(scheduler))
        return;
    if (f->stack)
        _longjmp(f->at, 1);
    begin(f);
}

/* Up to the first barrier, then, barrier by barrier, those that wait. */
static void run_block(unsigned threads, bool backwards)
{
    unsigned waiting = 0;
    for (unsigned t = 0; t < threads; t++) {
        fibres[waiting].thread = backwards ? threads - 1 - t : t;
        resume(&fibres[waiting]);
        waiting += fibres[waiting].waits;
    }
    for (bool any = waiting > 0; any;) {
        any = false;
        for (unsigned k = 0; k < waiting; k++) {
            fibre *f = &fibres[backwards ? k : waiting - 1 - k];
            if (f->waits)
                resume(f);
            any = any || f->waits;
        }
    }
}

void sg_emulate(dim3 blocks, dim3 threads, void (*body)(const void *), const void *context)
{
    unsigned count = threads.x * threads.y * threads.z, all = blocks.x * blocks.y * blocks.z;
    pthread_mutex_lock(&one_at_a_time);
    gridDim = blocks;
    blockDim = threads;
    current_body = body;
    current_context = context;
    if (count > MOST_THREADS)
        abort();
    bool blocks_backwards = draw() & 1, threads_backwards = draw() & 1;
    for (unsigned k = 0; k < all; k++) {
        unsigned b = blocks_backwards ? all - 1 - k : k;
        blockIdx = dim3(b % blocks.x, b / blocks.x % blocks.y, b / blocks.x / blocks.y);
        run_block(count, threads_backwards);
    }
    pthread_mutex_unlock(&one_at_a_time);
}
