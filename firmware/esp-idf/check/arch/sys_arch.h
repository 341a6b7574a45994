/* The shapes of ESP-IDF's port on FreeRTOS: everything is a pointer, NULL is invalid. */
#ifndef CHECK_SYS_ARCH_H
#define CHECK_SYS_ARCH_H

#include <stddef.h>

typedef struct QueueDefinition *sys_sem_t;
typedef struct QueueDefinition *sys_mutex_t;
typedef struct sys_mbox_s *sys_mbox_t;
typedef struct tskTaskControlBlock *sys_thread_t;

#define sys_sem_valid(s) (*(s) != NULL)
#define sys_sem_set_invalid(s) (*(s) = NULL)
#define sys_mutex_valid(m) (*(m) != NULL)
#define sys_mutex_set_invalid(m) (*(m) = NULL)
#define sys_mbox_valid(m) (*(m) != NULL)
#define sys_mbox_set_invalid(m) (*(m) = NULL)

sys_sem_t *sys_thread_sem_get(void);
sys_sem_t *sys_thread_sem_init(void);
void sys_thread_sem_deinit(void);

#endif
