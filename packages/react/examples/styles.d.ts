// What a bundler's own types say, such as `vite/client`.
declare module '*.css'
