/** What React Native's own configuration sets, without React Native. */
module.exports = {
  resolver: { unstable_enablePackageExports: true, unstable_conditionNames: ['require', 'react-native'] },
  transformer: { babelTransformerPath: require.resolve('@react-native/metro-babel-transformer') },
};
