export { buildOnce, withTemporaryDirectory } from './build-once.ts';
export { contentKey } from './content-key.ts';
export { type CpioEntry, cpioArchive } from './cpio.ts';
export {
  debianPackages,
  type PackageSetRequest,
  packageNamed,
  type UnpackedPackage,
} from './debian-packages.ts';
export { type DefaultGuest, defaultGuest } from './default-guest.ts';
export { writeExt4Image } from './ext4-image.ts';
export { copyFile, makeMergedUsr, mergeTree, placeFile } from './file-tree.ts';
export { moduleNames, modulesAlias, modulesDep, selectModules } from './module-set.ts';
export { requireProgramFrom } from './packaged-program.ts';
export { requireProgram, runProgram } from './program.ts';
export { noProgress, type Progress } from './progress.ts';
export { cacheDirectory, runtimeDirectory, stateDirectory } from './xdg.ts';
