/* SPDX-License-Identifier: MPL-2.0
 * no-driver.c - a library that is none, to stand where the driver is looked for.
 */
int no_driver (void);

__attribute__ ((visibility ("default"))) int
no_driver (void)
{
  return 0;
}
