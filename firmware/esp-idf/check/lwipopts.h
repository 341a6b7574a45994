/* In place of ESP-IDF's lwipopts.h: sdkconfig's names turned into lwIP's, as far as the files compiled
 * here ask for them. Written from the documented options; project.py compares the outcome with the twin's. */
#ifndef CHECK_LWIPOPTS_H
#define CHECK_LWIPOPTS_H

#include "sdkconfig.h"

#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "esp_random.h"

#define LWIP_RAND esp_random

#define NO_SYS 0
#define SYS_LIGHTWEIGHT_PROT 1
#ifdef CONFIG_LWIP_TCPIP_CORE_LOCKING
#define LWIP_TCPIP_CORE_LOCKING 1
#else
#define LWIP_TCPIP_CORE_LOCKING 0
#endif

#define MEM_LIBC_MALLOC 1
#define MEMP_MEM_MALLOC 1
#define MEM_ALIGNMENT 4
#define MEMP_NUM_NETCONN CONFIG_LWIP_MAX_SOCKETS
#define MEMP_NUM_TCP_PCB CONFIG_LWIP_MAX_ACTIVE_TCP
#define MEMP_NUM_TCP_PCB_LISTEN CONFIG_LWIP_MAX_LISTENING_TCP
#define MEMP_NUM_UDP_PCB CONFIG_LWIP_MAX_UDP_PCBS
#define LWIP_SUPPORT_CUSTOM_PBUF 1

#ifdef CONFIG_LWIP_IPV4
#define LWIP_IPV4 1
#else
#define LWIP_IPV4 0
#endif
#ifdef CONFIG_LWIP_IPV6
#define LWIP_IPV6 1
#else
#define LWIP_IPV6 0
#endif
#ifdef CONFIG_LWIP_IPV6_AUTOCONFIG
#define LWIP_IPV6_AUTOCONFIG 1
#else
#define LWIP_IPV6_AUTOCONFIG 0
#endif
#ifdef CONFIG_LWIP_IPV6_DHCP6
#define LWIP_IPV6_DHCP6 1
#else
#define LWIP_IPV6_DHCP6 0
#endif
#define LWIP_IPV6_NUM_ADDRESSES CONFIG_LWIP_IPV6_NUM_ADDRESSES
#ifdef CONFIG_LWIP_IP_FORWARD
#define IP_FORWARD 1
#else
#define IP_FORWARD 0
#endif
#define LWIP_ARP 1
#define ARP_QUEUEING 1
#define LWIP_ICMP 1
#define LWIP_UDP 1
#define LWIP_TCP 1

#define TCP_MSL CONFIG_LWIP_TCP_MSL
#define TCP_MSS CONFIG_LWIP_TCP_MSS
#define TCP_WND CONFIG_LWIP_TCP_WND_DEFAULT
#define TCP_SND_BUF CONFIG_LWIP_TCP_SND_BUF_DEFAULT
#define TCP_MAXRTX CONFIG_LWIP_TCP_MAXRTX
#define TCP_SYNMAXRTX CONFIG_LWIP_TCP_SYNMAXRTX
#define TCP_TMR_INTERVAL CONFIG_LWIP_TCP_TMR_INTERVAL
#define LWIP_TCP_RTO_TIME CONFIG_LWIP_TCP_RTO_TIME
#ifdef CONFIG_LWIP_TCP_QUEUE_OOSEQ
#define TCP_QUEUE_OOSEQ 1
#else
#define TCP_QUEUE_OOSEQ 0
#endif
#define TCP_OOSEQ_MAX_PBUFS CONFIG_LWIP_TCP_OOSEQ_MAX_PBUFS
#ifdef CONFIG_LWIP_TCP_SACK_OUT
#define LWIP_TCP_SACK_OUT 1
#else
#define LWIP_TCP_SACK_OUT 0
#endif
#ifdef CONFIG_LWIP_TCP_OVERSIZE_MSS
#define TCP_OVERSIZE TCP_MSS
#endif
#define LWIP_WND_SCALE 0 /* it takes external memory to have it */
#define TCP_LISTEN_BACKLOG 1
#define LWIP_TCP_KEEPALIVE 1

#define LWIP_NETCONN 1
#define LWIP_NETCONN_SEM_PER_THREAD 1
#define LWIP_NETCONN_FULLDUPLEX 1
#define LWIP_NETCONN_THREAD_SEM_GET() sys_thread_sem_get()
#define LWIP_NETCONN_THREAD_SEM_ALLOC() sys_thread_sem_init()
#define LWIP_NETCONN_THREAD_SEM_FREE() sys_thread_sem_deinit()
#define LWIP_SOCKET 1
#define LWIP_COMPAT_SOCKETS 0
#define LWIP_POSIX_SOCKETS_IO_NAMES 0
/* Sockets are the highest descriptors a fd_set has room for. */
#define LWIP_SOCKET_OFFSET (FD_SETSIZE - CONFIG_LWIP_MAX_SOCKETS)
#define LWIP_SO_SNDTIMEO 1
#define LWIP_SO_RCVTIMEO 1
#ifdef CONFIG_LWIP_SO_LINGER
#define LWIP_SO_LINGER 1
#else
#define LWIP_SO_LINGER 0
#endif
#ifdef CONFIG_LWIP_SO_REUSE
#define SO_REUSE 1
#else
#define SO_REUSE 0
#endif

#define TCPIP_MBOX_SIZE CONFIG_LWIP_TCPIP_RECVMBOX_SIZE
#define DEFAULT_TCP_RECVMBOX_SIZE CONFIG_LWIP_TCP_RECVMBOX_SIZE
#define DEFAULT_UDP_RECVMBOX_SIZE CONFIG_LWIP_UDP_RECVMBOX_SIZE
#define DEFAULT_ACCEPTMBOX_SIZE CONFIG_LWIP_TCP_ACCEPTMBOX_SIZE
#define TCPIP_THREAD_STACKSIZE CONFIG_LWIP_TCPIP_TASK_STACK_SIZE
#define TCPIP_THREAD_PRIO 18
#define DEFAULT_THREAD_STACKSIZE TCPIP_THREAD_STACKSIZE
#define DEFAULT_THREAD_PRIO TCPIP_THREAD_PRIO

#define LWIP_NETIF_TX_SINGLE_PBUF 1
#ifdef CONFIG_LWIP_STATS
#define LWIP_STATS 1
#else
#define LWIP_STATS 0
#endif

/* ESP-IDF keeps lwIP's own name for itself; a project's header comes in by way of this one. */
#define LWIP_HOOK_FILENAME "lwip_default_hooks.h"

#endif
