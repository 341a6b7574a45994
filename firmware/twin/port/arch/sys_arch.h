/* The shapes sys_arch.c gives to lwIP's semaphores, mutexes and mailboxes: pointers, NULL invalid. */
#ifndef TWIN_SYS_ARCH_H
#define TWIN_SYS_ARCH_H

#include <pthread.h>
#include <stddef.h>

struct twin_semaphore;
struct twin_mutex;
struct twin_mailbox;

typedef struct twin_semaphore *sys_sem_t;
typedef struct twin_mutex *sys_mutex_t;
typedef struct twin_mailbox *sys_mbox_t;
typedef pthread_t sys_thread_t;

#define sys_sem_valid(s) (*(s) != NULL)
#define sys_sem_set_invalid(s) (*(s) = NULL)
#define sys_mutex_valid(m) (*(m) != NULL)
#define sys_mutex_set_invalid(m) (*(m) = NULL)
#define sys_mbox_valid(m) (*(m) != NULL)
#define sys_mbox_set_invalid(m) (*(m) = NULL)

/* One semaphore a thread for calls into the stack, as ESP-IDF has it. */
sys_sem_t *twin_thread_semaphore(void);
#define LWIP_NETCONN_THREAD_SEM_GET() twin_thread_semaphore()
#define LWIP_NETCONN_THREAD_SEM_ALLOC()
#define LWIP_NETCONN_THREAD_SEM_FREE()

#endif
