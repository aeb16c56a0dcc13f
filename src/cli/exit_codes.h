/* The exit codes of `sluice`, all of them. Scripts rely on them: they never change their meaning.
 */
#ifndef SL_CLI_EXIT_CODES_H
#define SL_CLI_EXIT_CODES_H

enum sl_exit {
    SL_EXIT_OK = 0,
    SL_EXIT_FAILED = 1,   /* something failed that has no code of its own; the message says what */
    SL_EXIT_USAGE = 2,    /* the command line cannot be understood */
    SL_EXIT_CONFIG = 10,  /* sluice.conf, or a domain's tables, are wrong */
    SL_EXIT_TAKEN = 11,   /* another program has the port */
    SL_EXIT_IN_USE = 12,  /* another server has the data folder */
    SL_EXIT_DAMAGED = 13, /* stored bytes do not say what they must */
    SL_EXIT_NO_SERVER = 14, /* nobody answers where the server should be */
    SL_EXIT_REFUSED = 15,   /* the server answered with an error */
};

#endif
