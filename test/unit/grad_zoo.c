/* The same in double precision: zoo.h. */
#include "zoo.h"

int main(void)
{
    return run_zoo();
}
