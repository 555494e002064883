/*
 * Calls whose misuse has cost others a security hole or a wrong result are
 * compile errors here. Every .c of the project includes this header last.
 */
#ifndef CA_BASE_BANNED_H
#define CA_BASE_BANNED_H

#pragma GCC poison strcpy strcat sprintf vsprintf strtok atoi atol atoll atof
#pragma GCC poison gets rand srand random srandom ctime asctime localtime gmtime

#endif
