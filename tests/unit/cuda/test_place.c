/* One rank a GPU by its number on the node; more ranks than GPUs share them evenly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "cuda/cuda.h"

static void every_gpu_is_taken_and_shared_fairly(void **state)
{
    for (int32_t gpus = 1; gpus <= 8; gpus++) {
        for (int32_t ranks = 1; ranks <= 20; ranks++) {
            int32_t taken[8] = {0};
            for (int32_t rank = 0; rank < ranks; rank++)
                taken[sg_cuda_place_of(rank, ranks, gpus).gpu]++;
            for (int32_t rank = 0; rank < ranks; rank++) {
                sg_cuda_place place = sg_cuda_place_of(rank, ranks, gpus);
                assert_int_equal(place.sharers, taken[place.gpu]);
            }
            for (int32_t g = 1; g < gpus;
                 g++) /* the first ones have one more, where it is uneven */
                assert_true(taken[g - 1] - taken[g] == 0 || taken[g - 1] - taken[g] == 1);
            assert_true(taken[0] - taken[gpus - 1] <= 1);
        }
    }
}

static void a_rank_alone_has_its_gpu_for_itself(void **state)
{
    assert_int_equal(sg_cuda_place_of(0, 0, 4).sharers, 1);
    assert_int_equal(sg_cuda_place_of(5, 0, 4).gpu, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_gpu_is_taken_and_shared_fairly),
        cmocka_unit_test(a_rank_alone_has_its_gpu_for_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
