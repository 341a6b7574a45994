/* The serial console as the place where the owner says which network and which key.
 *
 * Knows: reading and answering lines (console_line.c has the words), and when a restart is due.
 * Refuses to know: how settings are kept.
 */
#ifndef PROVISIONING_H
#define PROVISIONING_H

/* Never returns. */
_Noreturn void provisioning_run(void);

#endif
