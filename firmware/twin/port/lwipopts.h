/* The options of a stock ESP-IDF 5.0 build, as far as TCP's behaviour on the wire depends on them.
 * Where the host differs, the line says so. */
#ifndef TWIN_LWIPOPTS_H
#define TWIN_LWIPOPTS_H

#define NO_SYS 0
#define SYS_LIGHTWEIGHT_PROT 1
#define LWIP_TCPIP_CORE_LOCKING 0

/* Every block from the heap, as in ESP-IDF: the MEMP_NUM_* below then limit nothing, which is how
 * IDF 5.0 to 5.2 came to hold TIME-WAITs without end. */
#define MEM_LIBC_MALLOC 1
#define MEMP_MEM_MALLOC 1
#define MEM_ALIGNMENT 8 /* host: 64-bit pointers */
#define MEMP_NUM_TCP_PCB 16
#define MEMP_NUM_TCP_PCB_LISTEN 16
#define MEMP_NUM_UDP_PCB 16
#define MEMP_NUM_NETCONN 10 /* this one does limit: it is the size of the socket table */
#define LWIP_SUPPORT_CUSTOM_PBUF 1

#define LWIP_IPV4 1
#define LWIP_IPV6 1
#define LWIP_IPV6_AUTOCONFIG 1
#define LWIP_IPV6_NUM_ADDRESSES 3
#define LWIP_IPV6_DHCP6 0
#define IPV6_FRAG_COPYHEADER 1 /* host: a pointer does not fit where a chip puts it */
#define LWIP_ARP 1
#define ARP_QUEUEING 1
#define LWIP_ICMP 1
#define LWIP_RAW 0
#define LWIP_DHCP 0
#define LWIP_DNS 0
#define LWIP_UDP 1
#define LWIP_TCP 1
#define IP_FORWARD 0

#define TCP_MSS 1440
#define TCP_WND 5744
#define TCP_SND_BUF 5744
#define TCP_SND_QUEUELEN ((4 * (TCP_SND_BUF) + (TCP_MSS - 1)) / (TCP_MSS))
#define TCP_MAXRTX 12
#define TCP_SYNMAXRTX 12
#define TCP_QUEUE_OOSEQ 1
#define TCP_OOSEQ_MAX_PBUFS 4
#define TCP_OVERSIZE TCP_MSS
#define TCP_TMR_INTERVAL 250
#define LWIP_TCP_RTO_TIME 1500
#define TCP_LISTEN_BACKLOG 1
#define LWIP_TCP_SACK_OUT 0
#define LWIP_TCP_TIMESTAMPS 0
#define LWIP_WND_SCALE 0
#define LWIP_TCP_KEEPALIVE 1

#define LWIP_NETCONN 1
#define LWIP_SOCKET 1
#define LWIP_COMPAT_SOCKETS 0 /* host: the names socket(), close() belong to the C library */
#define LWIP_SOCKET_POLL 0
#define LWIP_NETCONN_SEM_PER_THREAD 1
/* ESP-IDF: 1. No socket of ours is used by two threads, the wire does not show it, and with it this
 * release of lwIP fails an assertion of its own when a connection finds the accept queue full
 * (accept_function() frees a netconn that netconn_drain() wants marked closed). */
#define LWIP_NETCONN_FULLDUPLEX 0
#define LWIP_SO_SNDTIMEO 1
#define LWIP_SO_RCVTIMEO 1
#define LWIP_SO_LINGER 0
#define SO_REUSE 1

#define TCPIP_MBOX_SIZE 32
#define DEFAULT_UDP_RECVMBOX_SIZE 6
#define DEFAULT_TCP_RECVMBOX_SIZE 6
#define DEFAULT_ACCEPTMBOX_SIZE 6
#define TCPIP_THREAD_STACKSIZE 0   /* host: pthread's own */
#define DEFAULT_THREAD_STACKSIZE 0 /* likewise */

#define LWIP_NETIF_TX_SINGLE_PBUF 1
#define LWIP_STATS 0

#define LWIP_HOOK_FILENAME "twin_lwip_hooks.h"

#endif
