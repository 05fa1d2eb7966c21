/* SPDX-License-Identifier: MIT */
/* The mica program: finds the verb, by name or by the name it was called under. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "lib/util.h"
#include "mount/verbs.h"
#include "verbs.h"

/* In the order of --help. */
static const struct {
	const char *name;
	const struct mica_verb *verb; /* NULL: in the module */
} verbs[] = {
	{"mkimage", NULL},
	{"merge", NULL},
	{"mount", &mica_verb_mount},
	{"umount", &mica_verb_umount},
	{"status", &mica_verb_status},
	{"fsck", NULL},
	{"dump", NULL},
	{"extract", NULL},
};

#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

/* Names that mount(8), fsck(8) and mkfs(8) call. */
static const struct {
	const char *program;
	const char *verb;
} aliases[] = {
	{"mkfs.mica", "mkimage"},	  {"fsck.mica", "fsck"},       {"mount.mica", "mount"},
	{"mica-fuse-overlayfs", "mount"}, {"fuse-overlayfs", "mount"},
};

/*
 * Beside the program, where a build puts it, or where it is installed: relative to the
 * program, which holds for a tree that was moved, or as it was configured. A search path of
 * the program itself would slow down the loading of all its libraries.
 */
static char *module_find(void)
{
	static const char *const places[] = {"", "/../" MICA_MODULE_DIR};
	cleanup_free char *program = realpath("/proc/self/exe", NULL);
	const char *called = (const char *)getauxval(AT_EXECFN);
	char *path;

	/* without /proc, as the kernel was asked to run it */
	if (!program && called)
		program = realpath(called, NULL);
	for (size_t i = 0; program && i < sizeof(places) / sizeof(places[0]); i++) {
		int len = (int)(strrchr(program, '/') - program);

		if (asprintf(&path, "%.*s%s/" MICA_MODULE_FILE, len, program, places[i]) < 0)
			return NULL;
		if (!access(path, R_OK))
			return path;
		free(path);
	}
	return strdup(MICA_MODULE_PLACE "/" MICA_MODULE_FILE);
}

/* It stays loaded until the end. NULL: it was said why not. */
static const struct mica_module *module_load(void)
{
	cleanup_free char *path = module_find();
	void *handle = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
	const struct mica_module *module = handle ? dlsym(handle, MICA_MODULE_SYMBOL) : NULL;

	if (!module) {
		fprintf(stderr, "mica: a part of the program cannot be loaded: %s\n",
			path ? dlerror() : "out of memory");
		return NULL;
	}
	if (!strcmp(module->version, MICA_VERSION))
		return module;
	fprintf(stderr, "mica: version %s of the program meets version %s of its part %s\n",
		MICA_VERSION, module->version, path);
	return NULL;
}

/* NULL: not to be had, as was said. */
static const struct mica_verb *verb_load(const char *name)
{
	const struct mica_module *module = module_load();

	if (!module)
		return NULL;
	for (const struct mica_verb *const *verb = module->verbs; *verb; verb++)
		if (!strcmp((*verb)->name, name))
			return *verb;
	fprintf(stderr, "mica: '%s' is not in " MICA_MODULE_FILE "\n", name);
	return NULL;
}

static const struct mica_verb *verb_find(const char *name)
{
	for (size_t i = 0; i < VERBS; i++)
		if (!strcmp(verbs[i].name, name))
			return verbs[i].verb ? verbs[i].verb : verb_load(name);
	fprintf(stderr, "mica: unknown verb '%s' (see mica --help)\n", name);
	return NULL;
}

static int usage(FILE *f)
{
	fputs("Usage: mica VERB [OPTIONS] ...\n\n"
	      "Turns tar layers into read-only EROFS images and runs them.\n\nVerbs:\n",
	      f);
	for (size_t i = 0; i < VERBS; i++) {
		const struct mica_verb *verb = verb_find(verbs[i].name);

		if (!verb)
			return -1;
		fprintf(f, "  %-10s %s\n", verb->name, verb->summary);
	}
	fputs("\n'mica VERB --help' shows a verb's options; 'man mica' the whole picture.\n", f);
	return 0;
}

/* Of what was asked for on standard output: whether it got there. */
static int output_done(void)
{
	if (!fflush(stdout) && !ferror(stdout))
		return EXIT_SUCCESS;
	perror("mica: cannot write");
	return EXIT_FAILURE;
}

static int verb_run(const char *name, int argc, char **argv)
{
	const struct mica_verb *verb = verb_find(name);

	if (!verb)
		return EXIT_FAILURE;
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

	if (standard_streams_hold() < 0)
		return EXIT_FAILURE;
	if (strrchr(program, '/'))
		program = strrchr(program, '/') + 1;
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
		if (!strcmp(program, aliases[i].program))
			return verb_run(aliases[i].verb, argc, argv);
	if (argc < 2) {
		usage(stderr);
		return EXIT_FAILURE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		return usage(stdout) ? EXIT_FAILURE : output_done();
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		puts("mica " MICA_VERSION);
		return output_done();
	}
	return verb_run(argv[1], argc - 1, argv + 1);
}
