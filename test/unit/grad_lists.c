/* The same in double precision: lists.h. */
#include "lists.h"

int main(void)
{
    return run_lists();
}
