/** The vireo command is a program, not a library. */
export {};
