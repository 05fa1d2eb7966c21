/* SPDX-License-Identifier: MIT */
/* The mica program: finds the verb, by name or by the name it was called under. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fsck/verbs.h"
#include "lib/opt.h"
#include "mkimage/verbs.h"
#include "mount/verbs.h"

static const struct mica_verb *const verbs[] = {
	&mica_verb_mkimage, &mica_verb_merge, &mica_verb_mount,	  &mica_verb_umount,
	&mica_verb_fsck,    &mica_verb_dump,  &mica_verb_extract,
};

/* Names that mount(8), fsck(8) and mkfs(8) call. */
static const struct {
	const char *program;
	const char *verb;
} aliases[] = {
	{"mkfs.mica", "mkimage"},
	{"fsck.mica", "fsck"},
	{"mount.mica", "mount"},
};

static const struct mica_verb *verb_find(const char *name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (!strcmp(verbs[i]->name, name))
			return verbs[i];
	return NULL;
}

static void usage(FILE *f)
{
	fputs("Usage: mica VERB [OPTIONS] ...\n\n"
	      "Turns tar layers into read-only EROFS images and runs them.\n\nVerbs:\n",
	      f);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		fprintf(f, "  %-10s %s\n", verbs[i]->name, verbs[i]->summary);
	fputs("\n'mica VERB --help' shows a verb's options; 'man mica' the whole picture.\n", f);
}

/* Of what was asked for on standard output: whether it got there. */
static int output_done(void)
{
	if (!fflush(stdout) && !ferror(stdout))
		return EXIT_SUCCESS;
	perror("mica: cannot write");
	return EXIT_FAILURE;
}

static int verb_run(const struct mica_verb *verb, int argc, char **argv)
{
	/* Every --help comes from the option table, so it is answered in one place. */
	for (int i = 1; i < argc && strcmp(argv[i], "--"); i++) {
		if (strcmp(argv[i], "--help") && strcmp(argv[i], "-h"))
			continue;
		char *text = mica_opt_help(verb);

		if (!text)
			return EXIT_FAILURE;
		fputs(text, stdout);
		free(text);
		return output_done();
	}
	return verb->run(argc, argv);
}

/*
 * A standard stream that came closed would become the first file that is opened: messages
 * would go into an image. O_PATH keeps its number, and reading and writing fail as before.
 */
static int standard_streams_hold(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/", O_PATH) != fd)
			return -1;
	return 0;
}

int main(int argc, char **argv)
{
	const char *program = argc > 0 ? argv[0] : "mica";
	const struct mica_verb *verb;

	if (standard_streams_hold() < 0)
		return EXIT_FAILURE;
	if (strrchr(program, '/'))
		program = strrchr(program, '/') + 1;
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
		if (!strcmp(program, aliases[i].program))
			return verb_run(verb_find(aliases[i].verb), argc, argv);
	if (argc < 2) {
		usage(stderr);
		return EXIT_FAILURE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		usage(stdout);
		return output_done();
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		puts("mica " MICA_VERSION);
		return output_done();
	}
	verb = verb_find(argv[1]);
	if (!verb) {
		fprintf(stderr, "mica: unknown verb '%s' (see mica --help)\n", argv[1]);
		return EXIT_FAILURE;
	}
	return verb_run(verb, argc - 1, argv + 1);
}
