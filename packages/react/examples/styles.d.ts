// A bundler's types declare this, such as `vite/client`.
declare module '*.css'
