/* Writes the data that every side of the MLP benchmark starts from: mlp_data FOLDER BATCH */
#include "common/mlp_data.h"
#include <stdio.h>
#include <stdlib.h>

int main(int count, char **word) {
    struct mlp_data data;
    if (count != 3 || atoi(word[2]) < 1) return fprintf(stderr, "usage: mlp_data FOLDER BATCH\n"), 2;
    if (mlp_data_make(&data, (size_t)atoi(word[2]))) return EXIT_FAILURE;
    int failed = mlp_data_write(&data, word[1]);
    mlp_data_free(&data);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
