/*
 * What the writes of a batch share.
 */
#include "directory_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backend/directory_batch.h"

static int bad_fd;
static unsigned root_syncs;

int __real_fsync(int fd);
int __wrap_fsync(int fd);

int __wrap_fsync(int fd)
{
	root_syncs += fd == bad_fd;
	if (fd != bad_fd)
		return __real_fsync(fd);
	errno = EIO;
	return -1;
}

static struct directory_job job_of(const char *namespace, enum object_kind kind, struct backend_write *put)
{
	return (struct directory_job){ .key = { .kind = kind, .namespace = namespace, .name = "a" }, .write = put };
}

static void remove_kind(const char *root, const char *path)
{
	char full[128];

	(void)snprintf(full, sizeof(full), "%s/%s", root, path);
	assert_int_equal(rmdir(full), 0);
}

static void a_new_namespace_that_did_not_reach_the_disk_fails_the_writes_of_all_its_kinds(void **state)
{
	char root[] = "/tmp/holdfast-batch-XXXXXX";
	struct backend_write put = { .verb = BACKEND_PUT };
	struct directory_job first = job_of("n", OBJECT_APPLICATION, &put);
	struct directory_job second = job_of("n", OBJECT_REPOSITORY, &put);
	struct batch b = { 0 };

	(void)state;
	assert_non_null(mkdtemp(root));
	b.path = root;
	b.root = bad_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(batch_find_dir(&b, &first) && batch_find_dir(&b, &second));
	batch_sync_dirs(&b);
	assert_int_equal(root_syncs, 1);
	assert_int_equal(first.dir->err, E_IO);
	assert_int_equal(second.dir->err, E_IO);
	batch_close_dirs(&b);
	close(b.root);
	remove_kind(root, "n/Application");
	remove_kind(root, "n/Repository");
	remove_kind(root, "n");
	assert_int_equal(rmdir(root), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_namespace_that_did_not_reach_the_disk_fails_the_writes_of_all_its_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
