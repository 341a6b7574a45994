/* lwIP's operating system, on pthreads.
 *
 * Knows: time, threads, semaphores, mutexes, mailboxes of the size that was asked for (a full one
 * drops, and drops are part of how a chip behaves).
 * Refuses to know: what is passed through them.
 */
#include "lwip/opt.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lwip/err.h"
#include "lwip/sys.h"

struct twin_semaphore {
  pthread_mutex_t lock;
  pthread_cond_t raised;
  unsigned count;
};

struct twin_mutex {
  pthread_mutex_t lock;
};

struct twin_mailbox {
  pthread_mutex_t lock;
  pthread_cond_t filled, drained;
  size_t size, count, head;
  void *slots[];
};

static void condition_init(pthread_cond_t *condition);
static bool wait_until(pthread_cond_t *condition, pthread_mutex_t *lock,
                       const struct timespec *deadline);
static const struct timespec *deadline_after(u32_t ms, struct timespec *at);
static void out_of_memory(void);

/* Time */

u32_t sys_now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (u32_t)((u64_t)t.tv_sec * 1000 + (u64_t)t.tv_nsec / 1000000);
}

u32_t sys_jiffies(void)
{
  return sys_now();
}

void sys_init(void)
{
}

/* Threads */

struct thread_start {
  lwip_thread_fn function;
  void *argument;
};

static pthread_key_t thread_semaphore;
static pthread_once_t thread_semaphore_once = PTHREAD_ONCE_INIT;

static void free_thread_semaphore(void *value)
{
  sys_sem_t *semaphore = value;
  sys_sem_free(semaphore);
  free(semaphore);
}

static void make_thread_semaphore_key(void)
{
  if (pthread_key_create(&thread_semaphore, free_thread_semaphore) != 0) {
    out_of_memory();
  }
}

sys_sem_t *twin_thread_semaphore(void)
{
  pthread_once(&thread_semaphore_once, make_thread_semaphore_key);
  sys_sem_t *semaphore = pthread_getspecific(thread_semaphore);
  if (semaphore == NULL) {
    semaphore = malloc(sizeof *semaphore);
    if (semaphore == NULL || sys_sem_new(semaphore, 0) != ERR_OK ||
        pthread_setspecific(thread_semaphore, semaphore) != 0) {
      out_of_memory();
    }
  }
  return semaphore;
}

static void *thread_main(void *arg)
{
  struct thread_start start = *(struct thread_start *)arg;
  free(arg);
  start.function(start.argument);
  return NULL;
}

sys_thread_t sys_thread_new(const char *name, lwip_thread_fn function, void *argument,
                            int stack_size, int priority)
{
  pthread_t thread;
  struct thread_start *start = malloc(sizeof *start);
  (void)stack_size;
  (void)priority;
  if (start == NULL) {
    out_of_memory();
  }
  start->function = function;
  start->argument = argument;
  if (pthread_create(&thread, NULL, thread_main, start) != 0) {
    fprintf(stderr, "esp-tcpwatch-twin: no thread for %s\n", name);
    exit(1);
  }
  pthread_detach(thread);
  return thread;
}

/* Protection of a few instructions; lwIP nests it. */

static pthread_mutex_t protection = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

sys_prot_t sys_arch_protect(void)
{
  pthread_mutex_lock(&protection);
  return 0;
}

void sys_arch_unprotect(sys_prot_t unused)
{
  (void)unused;
  pthread_mutex_unlock(&protection);
}

/* Semaphores */

err_t sys_sem_new(sys_sem_t *s, u8_t count)
{
  *s = calloc(1, sizeof **s);
  if (*s == NULL) {
    return ERR_MEM;
  }
  pthread_mutex_init(&(*s)->lock, NULL);
  condition_init(&(*s)->raised);
  (*s)->count = count;
  return ERR_OK;
}

void sys_sem_free(sys_sem_t *s)
{
  if (*s != NULL) {
    pthread_cond_destroy(&(*s)->raised);
    pthread_mutex_destroy(&(*s)->lock);
    free(*s);
    *s = NULL;
  }
}

void sys_sem_signal(sys_sem_t *s)
{
  pthread_mutex_lock(&(*s)->lock);
  (*s)->count++;
  pthread_cond_signal(&(*s)->raised);
  pthread_mutex_unlock(&(*s)->lock);
}

u32_t sys_arch_sem_wait(sys_sem_t *s, u32_t timeout_ms)
{
  struct timespec at;
  const struct timespec *deadline = deadline_after(timeout_ms, &at);
  u32_t began = sys_now();
  bool in_time = true;
  pthread_mutex_lock(&(*s)->lock);
  while ((*s)->count == 0 && in_time) {
    in_time = wait_until(&(*s)->raised, &(*s)->lock, deadline);
  }
  if ((*s)->count > 0) {
    (*s)->count--;
    in_time = true;
  }
  pthread_mutex_unlock(&(*s)->lock);
  return in_time ? sys_now() - began : SYS_ARCH_TIMEOUT;
}

/* Mutexes */

err_t sys_mutex_new(sys_mutex_t *m)
{
  *m = calloc(1, sizeof **m);
  if (*m == NULL) {
    return ERR_MEM;
  }
  pthread_mutex_init(&(*m)->lock, NULL);
  return ERR_OK;
}

void sys_mutex_free(sys_mutex_t *m)
{
  if (*m != NULL) {
    pthread_mutex_destroy(&(*m)->lock);
    free(*m);
    *m = NULL;
  }
}

void sys_mutex_lock(sys_mutex_t *m)
{
  pthread_mutex_lock(&(*m)->lock);
}

void sys_mutex_unlock(sys_mutex_t *m)
{
  pthread_mutex_unlock(&(*m)->lock);
}

/* Mailboxes: rings under a lock. */

err_t sys_mbox_new(sys_mbox_t *m, int size)
{
  size_t slots = size > 0 ? (size_t)size : TCPIP_MBOX_SIZE;
  *m = calloc(1, sizeof **m + slots * sizeof(void *));
  if (*m == NULL) {
    return ERR_MEM;
  }
  (*m)->size = slots;
  pthread_mutex_init(&(*m)->lock, NULL);
  condition_init(&(*m)->filled);
  condition_init(&(*m)->drained);
  return ERR_OK;
}

void sys_mbox_free(sys_mbox_t *m)
{
  if (*m != NULL) {
    pthread_cond_destroy(&(*m)->filled);
    pthread_cond_destroy(&(*m)->drained);
    pthread_mutex_destroy(&(*m)->lock);
    free(*m);
    *m = NULL;
  }
}

static void put(struct twin_mailbox *m, void *message)
{
  m->slots[(m->head + m->count) % m->size] = message;
  m->count++;
  pthread_cond_signal(&m->filled);
}

static void *get(struct twin_mailbox *m)
{
  void *message = m->slots[m->head];
  m->head = (m->head + 1) % m->size;
  m->count--;
  pthread_cond_signal(&m->drained);
  return message;
}

void sys_mbox_post(sys_mbox_t *m, void *message)
{
  pthread_mutex_lock(&(*m)->lock);
  while ((*m)->count == (*m)->size) {
    wait_until(&(*m)->drained, &(*m)->lock, NULL);
  }
  put(*m, message);
  pthread_mutex_unlock(&(*m)->lock);
}

err_t sys_mbox_trypost(sys_mbox_t *m, void *message)
{
  err_t result = ERR_MEM;
  pthread_mutex_lock(&(*m)->lock);
  if ((*m)->count < (*m)->size) {
    put(*m, message);
    result = ERR_OK;
  }
  pthread_mutex_unlock(&(*m)->lock);
  return result;
}

err_t sys_mbox_trypost_fromisr(sys_mbox_t *m, void *message)
{
  return sys_mbox_trypost(m, message);
}

u32_t sys_arch_mbox_fetch(sys_mbox_t *m, void **message, u32_t timeout_ms)
{
  struct timespec at;
  const struct timespec *deadline = deadline_after(timeout_ms, &at);
  u32_t began = sys_now();
  void *got = NULL;
  bool in_time = true;
  pthread_mutex_lock(&(*m)->lock);
  while ((*m)->count == 0 && in_time) {
    in_time = wait_until(&(*m)->filled, &(*m)->lock, deadline);
  }
  if ((*m)->count > 0) {
    got = get(*m);
    in_time = true;
  }
  pthread_mutex_unlock(&(*m)->lock);
  if (message != NULL) {
    *message = got;
  }
  return in_time ? sys_now() - began : SYS_ARCH_TIMEOUT;
}

u32_t sys_arch_mbox_tryfetch(sys_mbox_t *m, void **message)
{
  void *got = NULL;
  u32_t result = SYS_MBOX_EMPTY;
  pthread_mutex_lock(&(*m)->lock);
  if ((*m)->count > 0) {
    got = get(*m);
    result = 0;
  }
  pthread_mutex_unlock(&(*m)->lock);
  if (message != NULL) {
    *message = got;
  }
  return result;
}

/* Waiting, on the clock that nobody sets. */

static void condition_init(pthread_cond_t *condition)
{
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(condition, &attributes);
  pthread_condattr_destroy(&attributes);
}

/* False when the deadline has passed. NULL: no deadline. */
static bool wait_until(pthread_cond_t *condition, pthread_mutex_t *lock,
                       const struct timespec *deadline)
{
  if (deadline == NULL) {
    return pthread_cond_wait(condition, lock) == 0;
  }
  return pthread_cond_timedwait(condition, lock, deadline) == 0;
}

/* lwIP's 0 means for ever. */
static const struct timespec *deadline_after(u32_t ms, struct timespec *at)
{
  if (ms == 0) {
    return NULL;
  }
  clock_gettime(CLOCK_MONOTONIC, at);
  at->tv_sec += (time_t)(ms / 1000);
  at->tv_nsec += (long)(ms % 1000) * 1000000L;
  if (at->tv_nsec >= 1000000000L) {
    at->tv_sec++;
    at->tv_nsec -= 1000000000L;
  }
  return at;
}

static void out_of_memory(void)
{
  fputs("esp-tcpwatch-twin: out of memory\n", stderr);
  exit(1);
}
