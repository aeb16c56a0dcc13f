/*
 * The `sluice` command: its verbs, and those of domains.
 *
 *     sluice VERB …
 *     sluice DOMAIN VERB …
 *
 * Options that all verbs share may stand anywhere: --data DIR, --url URL, --ca FILE, --token TOKEN,
 * --config FILE.
 */
#ifndef SL_CLI_CLI_H
#define SL_CLI_CLI_H

#include <sluice/domain.h>

#include "client/client.h"

/* What the program around it gives: the verbs here know neither adapters nor domains. */
struct sl_cli {
    int (*serve)(int argc, char **argv);
    /* The domains that this program and the configuration have; prints what is wrong and returns an
     * exit code. They live as long as the program. */
    int (*domains)(const char *config, const struct sl_domain *const **out, size_t *out_count);

    /* Runs the specifications of a domain in a shared object; returns the exit code. */
    int (*check)(const char *path);

    /* From the command line. */
    const char *data;   /* whose socket is spoken to; "data" */
    const char *url;    /* or an address */
    const char *ca;     /* whose signature is believed there; NULL: this machine's choice */
    const char *token;  /* --token, or SLUICE_TOKEN */
    const char *config; /* --config */
};

/* Runs the command line; returns the exit code. */
int sl_cli_run(struct sl_cli *cli, int argc, char **argv);

#endif
