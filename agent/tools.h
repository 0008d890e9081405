/* SPDX-License-Identifier: Apache-2.0 */
/* `tollgated --tool NAME …`: what must work without a running agent. Called by main only. */
#ifndef TOOLS_H
#define TOOLS_H

/* Runs the tool with the arguments after its name; returns the exit code (sysexits). */
int tools_run(const char *name, int argc, char **argv);

/* tool_explain.c */
int tool_explain(int argc, char **argv);
/* tool_ready.c */
int tool_ready(int argc, char **argv);
int tool_settings(int argc, char **argv);
/* tool_project.c */
int tool_project(int argc, char **argv);

#endif
