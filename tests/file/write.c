/* Files written whole or not at all, and what cannot be read. */
#define _XOPEN_SOURCE 700
#include "file/read.h"
#include "support/why.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct mem plain = {0};

static void write_ok(const char *path, const char *s) {
    cr_text_clear(why);
    if (cr_file_write(path, s, strlen(s), NULL, why)) fail_msg("%s", cr_text_str(why));
}

static void write_fails(const char *path, const char *fact) {
    cr_text_clear(why);
    int before = temp_count();
    assert_says(cr_file_write(path, "data", 4, NULL, why), CR_EFILE, why, FACTS(path, fact));
    assert_int_equal(cr_file_write(path, "data", 4, NULL, NULL), CR_EFILE);
    assert_int_equal(temp_count(), before);
}

static void read_fails(const char *path, uint64_t most, const char *fact) {
    struct bytes b;
    cr_text_clear(why);
    assert_says(file_read(&b, path, most, &plain, why), CR_EFILE, why, FACTS(path, fact));
    assert_null(b.s);
}

static mode_t mode_of(const char *path) {
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    return st.st_mode;
}

/* ---- Writing ---- */

TEST(a_file_is_written_and_nothing_beside_it) {
    (void)state;
    const char *path = temp_path("new");
    int before = temp_count();
    write_ok(path, "one");
    assert_true(file_is(path, "one", 3));
    write_ok(path, "");
    assert_true(file_is(path, "", 0));
    assert_int_equal(temp_count(), before + 1);
}

TEST(permissions_follow_the_umask_and_then_stay) {
    (void)state;
    const char *path = temp_path("mode");
    mode_t mask = umask(027);
    write_ok(path, "one");
    umask(mask);
    assert_int_equal(mode_of(path) & 0777, 0640);
    assert_int_equal(chmod(path, 0604), 0);
    write_ok(path, "two");
    assert_int_equal(mode_of(path) & 0777, 0604);
}

TEST(a_link_stays_and_its_target_is_written) {
    (void)state;
    const char *target = temp_file("target", "old", 3), *path = temp_path("link");
    assert_int_equal(symlink("target", path), 0);
    write_ok(path, "new");
    assert_true(S_ISLNK(mode_of(path)));
    assert_true(file_is(target, "new", 3));
}

TEST(a_name_of_255_bytes_can_be_written) {
    (void)state;
    char name[256];
    memset(name, 'n', 255);
    name[255] = 0;
    write_ok(temp_path(name), "long");
    assert_true(file_is(temp_path(name), "long", 4));
}

TEST(what_cannot_be_written_says_why) {
    (void)state;
    char longer[6000];
    memset(longer, 'n', sizeof longer);
    longer[sizeof longer - 1] = 0;
    write_fails("/no/such/directory/x", "No such file or directory");
    write_fails("", "the path is empty");
    write_fails(longer, "File name too long");
    write_fails(temp_path(""), "is a directory");
    assert_int_equal(cr_file_write(NULL, "x", 1, NULL, NULL), CR_EINVAL);
    assert_int_equal(cr_file_write("x", NULL, 1, NULL, NULL), CR_EINVAL);
}

TEST(a_full_device_is_told) {
    (void)state;
    if (access("/dev/full", W_OK)) skip();
    write_fails("/dev/full", "No space left on device");
}

/* A limit of two bytes for a file is as good as a full disk: the write comes back short, then fails. */
TEST(on_a_full_disk_the_old_file_stays_and_no_half_one) {
    (void)state;
    struct rlimit old, tiny;
    const char *path = temp_file("full", "precious", 8);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    tiny = (struct rlimit){2, old.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tiny), 0);
    char other[1024];
    snprintf(other, sizeof other, "%s2", path);
    cr_text_clear(why);
    int before = temp_count();
    cr_status first = cr_file_write(path, "data", 4, NULL, why),
              second = cr_file_write(other, "data", 4, NULL, NULL);
    int after = temp_count();
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, handler);
    assert_says(first, CR_EFILE, why, FACTS(path, "cannot be written", "File too large"));
    assert_int_equal(second, CR_EFILE);
    assert_int_equal(after, before);
    assert_true(file_is(path, "precious", 8));
    assert_int_equal(access(other, F_OK), -1);
}

TEST(a_directory_that_takes_no_files_keeps_the_old_one) {
    (void)state;
    const char *path = temp_file("locked", "precious", 8), *directory = temp_path("");
    uid_t me = geteuid();
    assert_int_equal(chmod(directory, 0555), 0);
    if (me == 0) assert_int_equal(seteuid(65534), 0); /* root may everything */
    cr_text_clear(why);
    cr_status status = cr_file_write(path, "data", 4, NULL, why);
    if (me == 0) assert_int_equal(seteuid(0), 0);
    assert_int_equal(chmod(directory, 0755), 0);
    assert_says(status, CR_EFILE, why, FACTS(path, "Permission denied"));
    assert_true(file_is(path, "precious", 8));
}

TEST(a_pipe_is_written_straight) {
    (void)state;
    const char *path = temp_path("pipe");
    char s[5] = "";
    assert_int_equal(mkfifo(path, 0600), 0);
    int fd = open(path, O_RDONLY | O_NONBLOCK);
    write_ok(path, "data");
    assert_int_equal(read(fd, s, 4), 4);
    close(fd);
    assert_string_equal(s, "data");
    assert_true(S_ISFIFO(mode_of(path)));
}

static cr_status write_one(cr_context *ctx, void *arg) {
    (void)arg;
    return cr_file_write(temp_path("each"), "data", 4, ctx, NULL);
}

TEST(no_failing_allocation_leaks) {
    (void)state;
    alloc_fail_each(write_one, NULL);
}

/* ---- Reading ---- */

TEST(what_cannot_be_read_says_why) {
    (void)state;
    cr_table *t = NULL;
    cr_array *a = NULL;
    read_fails("/no/such/file", 10, "No such file or directory");
    read_fails(temp_path(""), 10, "is a directory");
    cr_text_clear(why);
    assert_says(cr_csv_load(&t, temp_path(""), NULL, why), CR_EFILE, why, FACTS("is a directory"));
    assert_says(cr_npy_load(&a, temp_path(""), NULL, why), CR_EFILE, why, FACTS("is a directory"));
}

TEST(an_unreadable_file_is_told) {
    (void)state;
    struct bytes b;
    const char *path = temp_file("secret", "data", 4);
    uid_t me = geteuid();
    assert_int_equal(chmod(path, 0), 0);
    assert_int_equal(chmod(temp_path(""), 0755), 0);
    if (me == 0) assert_int_equal(seteuid(65534), 0);
    cr_text_clear(why);
    cr_status status = file_read(&b, path, 10, &plain, why);
    if (me == 0) assert_int_equal(seteuid(0), 0);
    assert_says(status, CR_EFILE, why, FACTS(path, "cannot be opened", "Permission denied"));
}

TEST(a_file_is_read_up_to_its_limit) {
    (void)state;
    struct bytes b;
    const char *path = temp_file("ten", "0123456789", 10);
    assert_int_equal(file_read(&b, path, 10, &plain, NULL), CR_OK);
    assert_int_equal(b.n, 10);
    assert_memory_equal(b.s, "0123456789", 10);
    file_drop(&b);
    read_fails(path, 9, "holds more than the 9 bytes expected of it");
}

TEST(what_has_no_end_is_read_up_to_the_limit) {
    (void)state;
    cr_table *t = NULL;
    cr_array *a = NULL;
    if (access("/dev/zero", R_OK)) skip();
    read_fails("/dev/zero", 1 << 20, "holds more than the 1048576 bytes");
    cr_text_clear(why);
    assert_says(cr_csv_load(&t, "/dev/zero", NULL, why), CR_EFORMAT, why, FACTS("line 1: a NUL byte"));
    assert_says(cr_npy_load(&a, "/dev/zero", NULL, why), CR_EFORMAT, why, FACTS("is no npy file"));
}

TEST(a_pipe_is_read_to_its_end_or_limit) {
    (void)state;
    enum { size = 300000 };
    struct bytes b;
    static char s[size];
    const char *path = temp_path("source");
    assert_int_equal(mkfifo(path, 0600), 0);
    for (int i = 0; i < 2; i++) {
        pid_t child = fork();
        if (child == 0) {
            signal(SIGPIPE, SIG_DFL);
            int fd = open(path, O_WRONLY);
            for (size_t n = 0; n < size;) n += (size_t)write(fd, s + n, size - n);
            _exit(0);
        }
        if (i) read_fails(path, size - 1, "holds more than");
        else assert_int_equal(file_read(&b, path, size, &plain, NULL), CR_OK);
        assert_int_equal(waitpid(child, NULL, 0), child);
    }
    assert_int_equal(b.n, size);
    file_drop(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(a_file_is_written_and_nothing_beside_it),
        RUN(permissions_follow_the_umask_and_then_stay),
        RUN(a_link_stays_and_its_target_is_written),
        RUN(a_name_of_255_bytes_can_be_written),
        RUN(what_cannot_be_written_says_why),
        RUN(a_full_device_is_told),
        RUN(on_a_full_disk_the_old_file_stays_and_no_half_one),
        RUN(a_directory_that_takes_no_files_keeps_the_old_one),
        RUN(a_pipe_is_written_straight),
        RUN(no_failing_allocation_leaks),
        RUN(what_cannot_be_read_says_why),
        RUN(an_unreadable_file_is_told),
        RUN(a_file_is_read_up_to_its_limit),
        RUN(what_has_no_end_is_read_up_to_the_limit),
        RUN(a_pipe_is_read_to_its_end_or_limit),
    };
    return cmocka_run_group_tests(tests, why_setup, why_teardown);
}
