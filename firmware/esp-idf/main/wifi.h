/* The station: one network, for ever.
 *
 * Knows: joining, losing and joining again.
 * Refuses to know: what is served.
 */
#ifndef WIFI_H
#define WIFI_H

/* After esp_netif_init() and the default event loop. Returns when the radio is on; joining goes on by
 * itself. The texts are copied. */
void wifi_start(const char *ssid, const char *password, const char *hostname);

#endif
