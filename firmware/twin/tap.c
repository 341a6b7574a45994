/* /dev/net/tun. */
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* A frame each way is read and written bare: no packet information, no virtio header. */
#define WANTED_FLAGS (IFF_TAP | IFF_NO_PI)

int tap_inherit(int fd, char *why, size_t why_size)
{
  struct ifreq request;
  memset(&request, 0, sizeof request);
  if (ioctl(fd, TUNGETIFF, &request) < 0) {
    snprintf(why, why_size, "--tap-fd %d: not an open TAP device (%s)", fd, strerror(errno));
    return -1;
  }
  if ((request.ifr_flags & (WANTED_FLAGS | IFF_VNET_HDR)) != WANTED_FLAGS) {
    snprintf(why, why_size,
             "--tap-fd %d: %.15s must be opened with IFF_TAP | IFF_NO_PI and without IFF_VNET_HDR",
             fd, request.ifr_name);
    return -1;
  }
  return fd;
}

int tap_open(const char *name, char *why, size_t why_size)
{
  struct ifreq request;
  memset(&request, 0, sizeof request);
  if (name[0] == '\0' || strlen(name) >= sizeof request.ifr_name) {
    snprintf(why, why_size, "--tap %s: an interface name has 1 to 15 characters", name);
    return -1;
  }
  int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
  if (fd < 0) {
    snprintf(why, why_size, "--tap %s: cannot open /dev/net/tun (%s); in a container, pass it in",
             name, strerror(errno));
    return -1;
  }
  strcpy(request.ifr_name, name);
  request.ifr_flags = WANTED_FLAGS;
  if (ioctl(fd, TUNSETIFF, &request) < 0) {
    snprintf(why, why_size,
             "--tap %s: cannot attach (%s); it takes CAP_NET_ADMIN, or a TAP made for this user by "
             "`ip tuntap add %s mode tap user $USER`",
             name, strerror(errno), name);
    close(fd);
    return -1;
  }
  return fd;
}
