// fuzz_main - replays a fuzz target's corpus where libFuzzer is not available.
//
// usage: target FOLDER|FILE...   Each file is given to LLVMFuzzerTestOneInput once.

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes);

static int s_run_file (const char *path)
{
    FILE *file = fopen (path, "rb");
    if (!file) {
        fprintf (stderr, "fuzz: cannot read %s\n", path);
        return 1;
    }
    fseek (file, 0, SEEK_END);
    long bytes = ftell (file);
    rewind (file);
    uint8_t *data = malloc (bytes > 0 ? (size_t) bytes : 1);
    size_t got = fread (data, 1, (size_t) bytes, file);
    fclose (file);
    LLVMFuzzerTestOneInput (data, got);
    free (data);
    return 0;
}

static int s_run_folder (const char *path, int *count)
{
    DIR *folder = opendir (path);
    if (!folder) {
        fprintf (stderr, "fuzz: cannot open corpus %s\n", path);
        return 1;
    }
    int rc = 0;
    struct dirent *entry;
    while ((entry = readdir (folder))) {
        char name[4096];
        struct stat st;
        snprintf (name, sizeof name, "%s/%s", path, entry->d_name);
        if (stat (name, &st) == 0 && S_ISREG (st.st_mode)) {
            rc |= s_run_file (name);
            (*count)++;
        }
    }
    closedir (folder);
    return rc;
}

int main (int argc, char **argv)
{
    int rc = 0;
    int count = 0;
    for (int i = 1; i < argc; i++) {
        struct stat st;
        if (stat (argv[i], &st) == 0 && S_ISREG (st.st_mode)) {
            rc |= s_run_file (argv[i]);
            count++;
        } else {
            rc |= s_run_folder (argv[i], &count);
        }
    }
    if (count == 0) {
        fprintf (stderr, "fuzz: no input was replayed; give a corpus folder\n");
        return 1;
    }
    return rc;
}
