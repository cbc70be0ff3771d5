/*
 * Closing an HDF5 file that cannot be written to its end. [local]
 *
 * HDF5 keeps what it has not written, and a file whose last bytes find no room stays open for ever:
 * when MPI ends, HDF5 tries once more and crashes. A file that is to be discarded therefore gets
 * memory in the place of its disk first; there everything finds room.
 */
#ifndef SG_DATA_STORE_DROP_H
#define SG_DATA_STORE_DROP_H

#include <hdf5.h>

/* Close the file, whose bytes on the disk are of no use any more. Not through H5Fclose afterwards.
 */
void sg_store_drop(hid_t file);

#endif
